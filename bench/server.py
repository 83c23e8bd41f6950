"""The nginx that the contenders talk to, on free ports of loopback, and its certificate: there as long as
the block is."""

import contextlib
import ctypes
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

BODY_BYTES = 1024
LARGE_BYTES = 300_000
UPLOADED = 3  # bytes of the answer to an upload
FULL, RESUMED = 5, 8  # ... to the question how the TLS handshake was
START_ATTEMPTS = 8
ROOM_IN_MEMORY = 10 << 30  # what a folder in memory must have free to be worked in: 4 GiB there and back
ADDRESSES = 8
PR_SET_PDEATHSIG = 1  # prctl(2)

CONF = """\
daemon off;
master_process off;
worker_processes 1;
worker_rlimit_nofile {descriptors};
{user}
pid nginx.pid;
error_log error.log notice;
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    client_body_temp_path client_body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    default_type application/octet-stream;
    open_file_cache max=16;
    sendfile on;
    keepalive_requests 1000000000;
    keepalive_timeout 3600s;
    client_header_timeout 3600s;
    client_max_body_size 0;
    client_body_buffer_size 128k;
    ssl_certificate server.pem;
    ssl_certificate_key server.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:sessions:4m;
    upstream sink {{ server unix:{directory}/sink.socket; keepalive 64; }}
    server {{
        listen unix:{directory}/sink.socket;
        location / {{ return 200 "ok\\n"; }}
    }}
    server {{
{listens}
        root root;
        location /handshake {{
            if ($ssl_session_reused = r) {{ return 200 "resumed\n"; }}
            return 200 "full\n";
        }}
        location /upload {{
            # The answer comes when the body has been read whole.
            proxy_pass http://sink/;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
        }}
    }}
}}
"""


def processors():
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []


def on_processors(server=False, all_others=False):
    """What a child does before it runs: the server has the last processor for itself, where there are two,
    a client the first or all the others."""
    allowed = processors()
    if len(allowed) < 2:
        return None
    chosen = {allowed[-1]} if server else set(allowed[:-1]) if all_others else {allowed[0]}
    return lambda: os.sched_setaffinity(0, chosen)


def server_of_this_process():
    """What the server does before it runs. It ends with this process, however that ends."""
    pin = on_processors(server=True)
    prctl = getattr(ctypes.CDLL(None), "prctl", None)

    def prepare():
        if pin is not None:
            pin()
        if prctl is not None:
            prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    return prepare


@contextlib.contextmanager
def on_client_processor():
    """This process and what it starts, as long as the block is."""
    allowed = processors()
    if len(allowed) > 1:
        os.sched_setaffinity(0, {allowed[0]})
    try:
        yield
    finally:
        if len(allowed) > 1:
            os.sched_setaffinity(0, set(allowed))


def first_given_port():
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
            return max(int(file.read().split()[0]), 10001)
    except OSError:
        return 32768


def free_port():
    """One below those that the system gives to clients, as servers' ports are: a client that dials one of
    those has to look whether it has met itself."""
    for _ in range(1000):
        with socket.socket() as probe:
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", random.randrange(10000, first_given_port())))
                return probe.getsockname()[1]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def folder_with_room():
    """In memory where there is enough of it, so that no disk is measured; None: the usual place."""
    try:
        room = os.statvfs("/dev/shm")
        with open("/proc/meminfo", encoding="ascii") as file:
            available = next(int(line.split()[1]) << 10 for line in file
                             if line.startswith("MemAvailable:"))
        enough = min(room.f_bavail * room.f_frsize, available) > ROOM_IN_MEMORY
        return "/dev/shm" if enough else None
    except (OSError, StopIteration):
        return None


class Nginx:
    """port: http. tls_port: https, with a certificate of the authority in ca.pem; bundle.pem has the
    system's authorities besides. Without large, there are no files of 100 MB and 4 GB. What cannot go on
    is told to fail, which does not return."""

    def __init__(self, connections, descriptors, fail, large=True):
        self.connections = connections
        self.descriptors = descriptors
        self.fail = fail
        self.large = large
        self.process = None

    def __enter__(self):
        path = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin:/usr/local/nginx/sbin"
        self.program = shutil.which("nginx", path=path)
        if self.program is None:
            self.fail("nginx is not installed (Debian: nginx-light)")
        self.directory = tempfile.mkdtemp(prefix="ferry-bench-", dir=folder_with_room())
        try:
            self.make_files()
            self.make_certificates()
            if any(self.try_start() for _ in range(START_ATTEMPTS)):
                return self
            why = self.log()
        except BaseException:
            self.__exit__()
            raise
        self.__exit__()
        self.fail(f"nginx did not start: {why}")

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def place(self, name):
        return os.path.join(self.directory, name)

    def make_files(self):
        os.mkdir(self.place("root"))
        for name, size in (("root/1k", BODY_BYTES), ("root/large", LARGE_BYTES), ("upload-16k", 16 << 10)):
            with open(self.place(name), "wb") as file:
                file.write(bytes(i % 251 for i in range(size)))
        if not self.large:
            return
        with open(self.place("upload-100m"), "wb") as file:
            block = bytes(i % 251 for i in range(1 << 20))
            for _ in range(100):
                file.write(block)
        os.link(self.place("upload-100m"), self.place("root/100m"))
        with open(self.place("root/4g"), "wb") as file:  # a hole
            file.truncate(4 << 30)

    def openssl(self, *arguments):
        done = subprocess.run(["openssl", *arguments], cwd=self.directory, capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            self.fail(f"openssl {arguments[0]}: {done.stderr.strip()}")

    def make_certificates(self):
        names = ",".join(f"IP:127.0.0.{1 + i}" for i in range(ADDRESSES)) + ",DNS:localhost"
        with open(self.place("server.ext"), "w", encoding="ascii") as file:
            file.write(f"subjectAltName={names}\n")
        for name in ("ca", "server"):
            self.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.key")
        self.openssl("req", "-x509", "-new", "-key", "ca.key", "-sha256", "-days", "2", "-subj",
                     "/CN=bench authority", "-out", "ca.pem")
        self.openssl("req", "-new", "-key", "server.key", "-subj", "/CN=localhost", "-out", "server.csr")
        self.openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                     "-CAcreateserial", "-sha256", "-days", "2", "-extfile", "server.ext",
                     "-out", "server.pem")
        with open(self.place("bundle.pem"), "wb") as bundle:
            for path in ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                         "/etc/ssl/cert.pem", self.place("ca.pem")):
                if os.path.exists(path):
                    with open(path, "rb") as file:
                        bundle.write(file.read())

    def log(self):
        try:
            with open(self.place("error.log"), encoding="utf-8", errors="replace") as file:
                return file.read()[-1000:]
        except OSError:
            return "no log"

    def try_start(self):
        """Its pid file comes after its sockets: only then is what answers on the ports this nginx."""
        self.port = self.tls_port = free_port()
        while self.tls_port == self.port:
            self.tls_port = free_port()
        listens = [f"        listen 127.0.0.{1 + i}:{port}{kind} backlog=4096;"
                   for port, kind in ((self.port, ""), (self.tls_port, " ssl")) for i in range(ADDRESSES)]
        with open(self.place("nginx.conf"), "w", encoding="ascii") as file:
            file.write(CONF.format(listens="\n".join(listens), directory=self.directory,
                                   connections=2 * self.connections + 1024,
                                   descriptors=self.descriptors,
                                   user="user root;" if os.geteuid() == 0 else ""))
        self.process = subprocess.Popen(
            [self.program, "-p", self.directory, "-c", "nginx.conf", "-e", self.place("error.log")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=server_of_this_process())
        deadline = time.monotonic() + 10
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                with open(self.place("nginx.pid"), encoding="ascii") as file:
                    if file.read().strip() == str(self.process.pid):
                        return True
            except OSError:
                pass
            time.sleep(0.01)
        self.stop()
        return False

    def stop(self):
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()

    def version(self):
        done = subprocess.run([self.program, "-v"], capture_output=True, text=True, check=False)
        return (done.stderr + done.stdout).strip().rpartition("/")[2]
