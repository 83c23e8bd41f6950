#!/usr/bin/env python3
"""Runs the contenders in turn against an nginx of its own and compares what a request costs each.

    bench/run.py BUILD-FOLDER [--rounds N] [--requests N] [--seconds S] [--connections 1,64,512]

Called by tools/bench.sh. Every round runs every contender once at every number of connections, so that
whatever else the machine does meets all of them alike; ratios are taken inside a round, against the
contender "epoll", and the table shows their median and how far apart they lay. The figures go to
BUILD-FOLDER/bench.json as well.
"""

import argparse
import json
import os
import platform
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

LIMIT = "epoll"
CONTENDERS = {
    "epoll": "an epoll loop by hand: the limit",
    "ferry-tasks": "ferry, a task a connection",
    "curl-multi": "libcurl multi on epoll",
    "blocking": "send and recv, a thread a connection",
    "ferry-calls": "ferry, a thread a connection",
    "curl-easy": "libcurl easy, a thread a connection",
}
BODY_BYTES = 1024
START_ATTEMPTS = 8

NGINX_CONF = """\
daemon off;
master_process off;
worker_processes 1;
{user}
pid nginx.pid;
error_log error.log notice;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path client_body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    default_type application/octet-stream;
    open_file_cache max=16;
    keepalive_requests 100000000;
    keepalive_timeout 300s;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        root root;
    }}
}}
"""


def fail(message):
    sys.exit(f"bench: {message}")


def on_processor(number):
    """Puts what is started on one processor: the client and the server each have one, where there are two."""
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []
    if len(allowed) < 2:
        return None
    return lambda: os.sched_setaffinity(0, {allowed[number % len(allowed)]})


def find_nginx():
    path = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin:/usr/local/nginx/sbin"
    return shutil.which("nginx", path=path) or fail("nginx is not installed (Debian: nginx-light)")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Nginx:
    """One worker on a free port of loopback, with a file of 1 KiB; gone when the block is left."""

    def __enter__(self):
        self.program = find_nginx()
        self.directory = tempfile.mkdtemp(prefix="ferry-bench-")
        os.mkdir(self.place("root"))
        with open(self.place("root/1k"), "wb") as file:
            file.write(bytes(i % 251 for i in range(BODY_BYTES)))
        for _ in range(START_ATTEMPTS):
            if self.try_start():
                return self
        why = self.log()
        self.__exit__()
        fail(f"nginx did not start: {why}")

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def place(self, name):
        return os.path.join(self.directory, name)

    def log(self):
        try:
            with open(self.place("error.log"), encoding="utf-8", errors="replace") as file:
                return file.read()[-1000:]
        except OSError:
            return "no log"

    def try_start(self):
        """Its pid file comes after its sockets: only then is what answers on the port this nginx."""
        self.port = free_port()
        with open(self.place("nginx.conf"), "w", encoding="ascii") as file:
            user = "user root;" if os.geteuid() == 0 else ""
            file.write(NGINX_CONF.format(port=self.port, user=user))
        self.process = subprocess.Popen(
            [self.program, "-p", self.directory, "-c", "nginx.conf", "-e", self.place("error.log")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=on_processor(1))
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
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()


def run_contender(program, port, connections, options):
    command = [program, "--port", str(port), "--path", "/1k", "--bytes", str(BODY_BYTES),
               "--connections", str(connections), "--requests", str(options.requests),
               "--seconds", str(options.seconds)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False,
                              timeout=options.seconds + 60, preexec_fn=on_processor(0))
    except subprocess.TimeoutExpired:
        fail(f"{' '.join(command)}: does not end")
    if done.returncode != 0:
        fail(f"{' '.join(command)}: status {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def figures(run):
    """What a run says about one request."""
    requests = run["requests"]
    return {
        "cpu_us": (run["user_s"] + run["system_s"]) / requests * 1e6,
        "user_us": run["user_s"] / requests * 1e6,
        "per_second": requests / run["wall_s"],
        "peak_kib": run["peak_kib"],
    }


def measure(programs, nginx, options):
    """{(connections, contender): [figures of round 1, of round 2, ...]}"""
    results = {}
    for number in range(options.rounds):
        for connections in options.connections:
            for name, program in programs.items():
                run = run_contender(program, nginx.port, connections, options)
                results.setdefault((connections, name), []).append(figures(run))
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
    return results


def summary(values, limits):
    """The median of a figure, the spread of its rounds, and the same of its ratio to the limit's. There is
    no ratio to nothing: the system samples user time, and may not have met any in a short run."""
    result = {"median": statistics.median(values), "least": min(values), "most": max(values)}
    if all(limits):
        ratios = [value / limit for value, limit in zip(values, limits)]
        result.update(ratio=statistics.median(ratios), ratio_least=min(ratios),
                      ratio_most=max(ratios))
    return result


def summarize(results, options):
    rows = []
    for (connections, name), rounds in results.items():
        limits = results[(connections, LIMIT)]
        row = {"connections": connections, "contender": name, "rounds": len(rounds)}
        for figure in rounds[0]:
            row[figure] = summary([r[figure] for r in rounds], [r[figure] for r in limits])
        rows.append(row)
    rows.sort(key=lambda row: (options.connections.index(row["connections"]),
                               list(CONTENDERS).index(row["contender"])))
    return rows


def print_table(rows, options):
    print(f"GET of {BODY_BYTES} bytes from nginx on loopback, keep-alive; medians of {options.rounds} "
          "rounds (least–most).")
    print("x: ratio to the limit in the same round. CPU: of the client's process, user and system, a request.")
    for connections in options.connections:
        print(f"\n{connections} connection{'s' if connections > 1 else ''}")
        print(f"  {'':38} {'CPU µs (spread)':>22} {'x (spread)':>20} {'user µs':>9} {'requests/s':>11} "
              f"{'x':>6} {'peak KiB':>9}")
        for row in rows:
            if row["connections"] != connections:
                continue
            cpu, user, rate, peak = (row[k] for k in ("cpu_us", "user_us", "per_second", "peak_kib"))
            spread = f"{cpu['median']:.2f} ({cpu['least']:.2f}–{cpu['most']:.2f})"
            ratios = f"{cpu['ratio']:.2f} ({cpu['ratio_least']:.2f}–{cpu['ratio_most']:.2f})"
            print(f"  {CONTENDERS[row['contender']]:38} {spread:>22} {ratios:>20} {user['median']:>9.2f} "
                  f"{rate['median']:>11.0f} {rate['ratio']:>6.2f} {peak['median']:>9.0f}")


def processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return re.search(r"model name\s*: (.*)", file.read()).group(1)
    except (OSError, AttributeError):
        return platform.processor()


def version(program):
    done = subprocess.run([program, "-v"], capture_output=True, text=True, check=False)
    return (done.stderr + done.stdout).strip().rpartition(" ")[2]


def write_json(path, rows, nginx, options):
    report = {
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": {"system": f"{platform.system()} {platform.release()}", "processor": processor(),
                    "processors": os.cpu_count()},
        "server": version(nginx.program),
        "body_bytes": BODY_BYTES,
        "limit": LIMIT,
        "requests": options.requests,
        "seconds": options.seconds,
        "rows": rows,
    }
    with open(path, "w", encoding="utf-8") as file:
        json.dump(report, file, indent=1)
        file.write("\n")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", help="the folder of a build with FERRY_BUILD_BENCH")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=30000, help="of each run, at most")
    parser.add_argument("--seconds", type=float, default=0.8, help="of each run, at most")
    parser.add_argument("--connections", default="1,64,512",
                        type=lambda text: [int(part) for part in text.split(",")])
    return parser.parse_args()


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    options = arguments()
    programs = {name: os.path.join(options.build, "bench", name) for name in CONTENDERS}
    programs = {name: path for name, path in programs.items() if os.access(path, os.X_OK)}
    if LIMIT not in programs:
        fail(f"there is no benchmark in {options.build}/bench")
    with Nginx() as nginx:
        rows = summarize(measure(programs, nginx, options), options)
        print_table(rows, options)
        path = os.path.join(options.build, "bench.json")
        write_json(path, rows, nginx, options)
        print(f"\nwritten to {path}")


if __name__ == "__main__":
    main()
