"""The servers of one run: started when the run names them, each on a port of its own, and keeping
what they were sent. Everything listens on loopback only."""

import base64
import os
import select
import socket
import ssl
import threading

import paths
from wire import Gone, Request, Wire

PATIENCE = 30  # seconds; only ends what hangs
ACCEPTED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Connection:
    """What came over one connection, for compare.py."""

    def __init__(self, server, wire):
        self.server = server
        self.wire = wire
        self.requests = []
        self.notes = []  # what a SOCKS proxy was asked, and the like


class Servers:
    def __init__(self, certificates, directory):
        self.certificates = certificates  # certificates.Certificates
        self.directory = directory
        self.sockets = {}
        self.numbers = {}  # ports by their servers' names
        self.connections = []
        self.accepting = []  # threads, one for each listener
        self.threads = []  # one for each connection
        self.counts = {}
        self.lock = threading.Lock()
        self.over = False
        self.ending, self.end = socket.socketpair()  # readable once no more clients will come

    # ------------------------------------------------------------------------- names and ports

    def port(self, name):
        """The port of a server, which is started by that."""
        if name not in self.sockets:
            listener = socket.socket()
            listener.bind(("127.0.0.1", 0))
            self.sockets[name] = listener
            self.numbers[name] = listener.getsockname()[1]
            if name != "dead":
                self.listen(name, listener)
        return self.numbers[name]

    def unix(self, name="unix"):
        path = name if name.startswith("\0") else os.path.join(self.directory, "socket")
        if name not in self.sockets:
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(path)
            self.sockets[name] = listener
            self.listen("unix", listener)
        return path

    def count(self, key):
        with self.lock:
            self.counts[key] = self.counts.get(key, 0) + 1
            return self.counts[key]

    # --------------------------------------------------------------------------- their threads

    def listen(self, name, listener):
        listener.listen(64)
        listener.setblocking(False)  # a client that waited in the row may have gone again
        thread = threading.Thread(target=self.accept, args=(name, listener), daemon=True)
        self.accepting.append(thread)
        thread.start()

    def start(self, target, *args):
        thread = threading.Thread(target=target, args=args, daemon=True)
        with self.lock:
            self.threads.append(thread)
        thread.start()

    def accept(self, name, listener):
        """Everybody who has come by the time of the end gets in."""
        while True:
            ready = select.select([listener, self.ending], [], [])[0]
            if listener not in ready:
                return
            try:
                sock, _ = listener.accept()
            except OSError:
                continue
            sock.setblocking(True)
            if sock.family == socket.AF_INET:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(name, Wire(sock))
            with self.lock:
                self.connections.append(connection)
            self.start(self.serve, name, connection)

    def serve(self, name, connection):
        try:
            if name.startswith("https"):
                context = self.certificates.context(name)
                try:
                    connection.wire.sock = context.wrap_socket(connection.wire.sock,
                                                               server_side=True)
                except (OSError, ssl.SSLError):
                    return
            if "proxy" in name:
                self.serve_proxy(name, connection)
            elif name == "socks":
                self.serve_socks(connection)
            elif name == "introduced":  # by a line of the PROXY protocol
                line = connection.wire.read_until(b"\r\n").decode()
                connection.notes.append(" ".join(line.split(" ")[:4]))
                self.serve_http(connection)
            else:
                self.serve_http(connection)
        except (Gone, OSError, ValueError):
            pass
        finally:
            connection.wire.close()

    def serve_http(self, connection):
        going_on = True
        while going_on:
            if connection.wire.peek(1) == b"\x16":  # TLS, where none is spoken
                connection.wire.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                return
            request = Request(connection.wire)
            connection.requests.append(request)
            going_on = paths.answer(self, connection.wire, request, request.target)

    # -------------------------------------------------------------------------------- proxies

    def may_pass(self, name, request):
        field = request.get("Proxy-Authorization") or ""
        if name == "authproxy":
            return field == "Basic " + base64.b64encode(b"user:secret").decode()
        if name == "digestproxy":
            changed = field.startswith("Digest ")
            return changed and paths.digest_is_right(request, field, "MD5")
        return name != "noproxy"

    def refuse(self, name, wire):
        offer = ('Digest realm="proxy", qop="auth", nonce="fedcba", algorithm=MD5'
                 if name == "digestproxy" else 'Basic realm="proxy"')
        status = "403 Forbidden" if name == "noproxy" else "407 Who"
        wire.send((f"HTTP/1.1 {status}\r\nProxy-Authenticate: {offer}\r\n"
                   "Content-Length: 4\r\n\r\nno!\n").encode())

    def serve_proxy(self, name, connection):
        """Absolute form is answered as if it were asked of the origin."""
        wire = connection.wire
        going_on = True
        while going_on:
            request = Request(wire)
            connection.requests.append(request)
            if not self.may_pass(name, request):
                request.read_body(wire)
                self.refuse(name, wire)
            elif request.method == "CONNECT":
                self.tunnel(wire, request.target.rpartition(":")[2], ACCEPTED)
                return
            else:
                _, _, rest = request.target.partition("://")
                path = "/" + rest.partition("/")[2]
                going_on = paths.answer(self, wire, request, path)

    def tunnel(self, wire, port, accepted):
        """Whatever the name, it is on this machine."""
        target = socket.create_connection(("127.0.0.1", int(port)))
        wire.send(accepted)
        if wire.pending:
            target.sendall(wire.pending)
        back = threading.Thread(target=relay, args=(target, wire.sock), daemon=True)
        back.start()
        relay(wire.sock, target)
        back.join()
        target.close()

    def serve_socks(self, connection):
        wire = connection.wire
        version = wire.read_exactly(1)[0]
        if version == 4:
            _, high, low, *address = wire.read_exactly(7)
            user = wire.read_until(b"\0")[:-1].decode()
            host = ".".join(map(str, address))
            if host.startswith("0.0.0."):
                host = wire.read_until(b"\0")[:-1].decode()
            port = high * 256 + low
            connection.notes.append(f"socks4 {user}@{host}:{self.name_of(port)}")
            self.tunnel(wire, port, b"\0\x5a\0\0\0\0\0\0")
            return
        methods = wire.read_exactly(wire.read_exactly(1)[0])
        login = ""
        if 2 in methods:
            wire.send(b"\5\2")
            wire.read_exactly(1)
            user = wire.read_exactly(wire.read_exactly(1)[0]).decode()
            password = wire.read_exactly(wire.read_exactly(1)[0]).decode()
            login = f"{user}:{password}@"
            if password != "secret":
                connection.notes.append(f"socks5 {login} refused")
                wire.send(b"\1\1")
                return
            wire.send(b"\1\0")
        else:
            wire.send(b"\5\0")
        _, _, _, kind = wire.read_exactly(4)
        if kind == 3:
            host = "name " + wire.read_exactly(wire.read_exactly(1)[0]).decode()
        else:
            host = "address " + wire.read_exactly(4 if kind == 1 else 16).hex()
        high, low = wire.read_exactly(2)
        connection.notes.append(f"socks5 {login}{host} {self.name_of(high * 256 + low)}")
        self.tunnel(wire, high * 256 + low, b"\5\0\0\1\x7f\0\0\1\0\1")

    def name_of(self, port):
        return {number: name for name, number in self.numbers.items()}.get(port, port)

    # ---------------------------------------------------------------------------------- the end

    def stop(self):
        """The client has ended. What it sent is read to its end, however long a busy machine takes to
        get to it, and everything is closed."""
        if self.over:
            return
        self.over = True
        self.end.close()
        for thread in self.accepting:
            thread.join(PATIENCE)
        for listener in self.sockets.values():
            listener.close()
        for thread in list(self.threads):
            thread.join(PATIENCE)
        for connection in self.connections:
            connection.wire.close()
        self.ending.close()


def relay(source, target):
    try:
        while True:
            data = source.recv(65536)
            if not data:
                break
            target.sendall(data)
    except OSError:
        pass
    try:
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass
