"""What is measured: each workload with its contenders, what limits them, and where ferry must stand."""

from dataclasses import dataclass, replace
from typing import Optional

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

PROGRAMS = {  # what the tables and charts call them
    "epoll": "epoll loop by hand",
    "blocking": "blocking loop by hand",
    "least": "the least client over epoll",
    "ferry-tasks": "ferry, tasks",
    "ferry-calls": "ferry, plain calls",
    "curl-multi": "libcurl multi on epoll",
    "curl-easy": "libcurl easy",
    "go": "Go net/http",
    "wrk": "wrk",
    "h2load": "h2load --h1",
    "ferry": "ferry (the command)",
    "curl": "curl (the command)",
    "start-ferry": "a program of libferry's",
    "start-curl": "a program of libcurl's",
}


@dataclass(frozen=True)
class Contender:
    """A program and what it is told besides the workload's arguments. key: what results are kept by;
    "program/way" where one program is there in several ways."""
    key: str
    program: str
    label: str
    arguments: tuple = ()


@dataclass(frozen=True)
class Target:
    """figure of `ours` is at most `factor` times that of `against` (in the workload `where`, if that is
    another one); or, with against None, at most `factor` itself. With at_least: at least. ours may end
    in an asterisk, and against may be "limit": the cheapest of those counts."""
    ours: str
    figure: str
    against: Optional[str]
    factor: float
    where: Optional[str] = None
    at_least: bool = False


@dataclass(frozen=True)
class Workload:
    name: str
    title: str
    contenders: tuple
    limit: tuple  # keys of contenders, of which the cheapest is the mark
    kind: str = "requests"  # or: idle, start, size, instructions
    arguments: tuple = ()
    connections: int = 1
    requests: int = 1_000_000_000
    seconds: float = 0.5  # in a round
    turns: int = 5  # that these are taken in, where it is requests
    rounds: int = 1000  # at most
    targets: tuple = ()
    all_only: bool = False  # with BENCH_ALL=1, or named in WORK
    body: int = KIB
    all_processors: bool = False


def contender(program, *arguments, key=None, label=None):
    return Contender(key or program, program, label or PROGRAMS[program], arguments)


def contenders(*programs):
    return tuple(contender(p) if isinstance(p, str) else p for p in programs)


def buffers(program, *arguments):
    """With 64 and with 256 KiB."""
    return tuple(contender(program, "--buffer", str(size * KIB), *arguments, key=f"{program}/{size}k",
                           label=f"{PROGRAMS[program]}, {size} KiB") for size in (64, 256))


BLOCKING = contenders("blocking", "ferry-calls", "curl-easy", "go")
EVENTS = contenders("epoll", "ferry-tasks", "curl-multi", "go")
ONE = BLOCKING + contenders("epoll")  # and what waiting costs that can be woken by more than its own socket
LEAST = contenders("least")  # and what else no client can save


def gets():
    yield Workload(
        "get-1", "GET of 1 KiB, kept alive, 1 connection",
        contenders("blocking", "ferry-calls", "epoll", "least", "ferry-tasks", "curl-easy", "go"),
        ("blocking",),
        arguments=("--warm", "200"),
        targets=(Target("ferry-calls", "cpu_us", "blocking", 1.10),
                 Target("ferry-calls", "wall_us", "blocking", 1.10),
                 Target("ferry-calls", "cpu_us", "curl-easy", 0.5)))
    for n in (64, 512, 4000):
        tools = ("wrk", "h2load") if n == 64 else ("wrk",)
        targets = (Target("ferry-tasks", "cpu_us", "epoll", 1.25),
                   Target("ferry-tasks", "cpu_us", "curl-multi", 1 / 3),
                   Target("ferry-tasks", "cpu_us", "go", 1 / 3),
                   Target("ferry-tasks", "per_second", "wrk", 1, at_least=True))
        if n == 4000:
            targets += (Target("ferry-tasks", "cpu_us", "ferry-tasks", 1.3, where="get-64"),)
        yield Workload(f"get-{n}", f"GET of 1 KiB, kept alive, {n} connections on one thread",
                       EVENTS + LEAST + contenders(*tools), ("epoll",), connections=n,
                       arguments=("--warm", str(2 * n)), targets=targets,
                       **({"seconds": 1.0, "turns": 1} if n == 4000 else {}))
    yield Workload(
        "threads-8", "GET of 1 KiB, kept alive, 8 threads of plain calls", BLOCKING, ("blocking",),
        connections=8, arguments=("--warm", "200"), all_processors=True,
        targets=(Target("ferry-calls", "cpu_us", "ferry-calls", 1.25, where="get-1"),
                 Target("ferry-calls", "opened", None, 8)))


def new_connections():
    for n, ours, limit, peer, who in ((1, "ferry-calls", "blocking", "curl-easy", ONE),
                                      (64, "ferry-tasks", "epoll", "curl-multi", EVENTS)):
        yield Workload(f"new-{n}", f"a new connection for each GET of 1 KiB, {n} at a time", who, (limit,),
                       connections=n, arguments=("--close", "--addresses", "8"),
                       targets=(Target(ours, "cpu_us", limit, 1.3), Target(ours, "cpu_us", peer, 0.6)))


def transfers():
    down = (buffers("blocking") + buffers("ferry-calls") + buffers("epoll") + buffers("curl-easy") +
            buffers("go"))
    saved = buffers("blocking") + (
        contender("blocking", "--buffer", str(64 * KIB), "--splice", key="blocking/splice",
                  label="splice by hand"),
        contender("ferry-calls"), *buffers("curl-easy"), *buffers("go"))
    hand = ("blocking/64k", "blocking/256k")
    for size, body, rounds, seconds, turns in (("100m", 100 * MIB, 1000, 0.4, 5), ("4g", 4 * GIB, 3, 0.1, 1)):
        title = "100 MB" if size == "100m" else "4 GB"
        counts = {"rounds": rounds, "seconds": seconds, "turns": turns, "body": body}
        cold = ("--cold",) if size == "4g" else ()
        yield Workload(f"down-{size}", f"download of {title} to memory", down, hand,
                       arguments=("--path", f"/{size}", *cold), **counts,
                       targets=(Target("ferry-calls/*", "cpu_us", "limit", 1.05),))
        yield Workload(f"save-{size}", f"download of {title} to a file", saved, (*hand, "blocking/splice"),
                       arguments=("--path", f"/{size}", "--save", "@saved", *cold), **counts,
                       targets=(Target("ferry-calls", "cpu_us", "limit", 1.05),))
    yield Workload("up-100m", "upload of 100 MB from a file", BLOCKING, ("blocking",), body=3,
                   arguments=("--path", "/upload", "--upload", "@upload-100m"),
                   targets=(Target("ferry-calls", "cpu_us", "blocking", 1.05),))
    yield Workload("up-16k", "upload of 16 KiB, 1 connection", ONE, ("blocking",), body=3,
                   arguments=("--path", "/upload", "--upload", "@upload-16k"),
                   targets=(Target("ferry-calls", "cpu_us", "blocking", 1.10),))
    yield Workload("up-16k-64", "upload of 16 KiB, 64 connections on one thread", EVENTS, ("epoll",),
                   connections=64, body=3,
                   arguments=("--path", "/upload", "--upload", "@upload-16k"),
                   targets=(Target("ferry-tasks", "cpu_us", "epoll", 1.25),))


def https():
    one = ("--https", "--ca", "@ca.pem")
    fresh = one + ("--close", "--addresses", "8")
    yield Workload("https-1", "HTTPS, kept alive, GET of 1 KiB, 1 connection", ONE + LEAST,
                   ("blocking",), arguments=one + ("--warm", "200"),
                   targets=(Target("ferry-calls", "cpu_us", "blocking", 1.15),))
    yield Workload("https-64", "HTTPS, kept alive, GET of 1 KiB, 64 connections on one thread",
                   EVENTS + LEAST + contenders("wrk"), ("epoll",), connections=64,
                   arguments=one + ("--warm", "200"),
                   targets=(Target("ferry-tasks", "cpu_us", "epoll", 1.15),))
    yield Workload("https-full", "HTTPS, a full handshake for each GET of 1 KiB", BLOCKING, ("blocking",),
                   arguments=fresh + ("--no-resume",),
                   targets=(Target("ferry-calls", "cpu_us", "blocking", 1.15),))
    yield Workload("https-resumed", "HTTPS, a resumed handshake for each GET of 1 KiB", BLOCKING,
                   ("blocking",), arguments=fresh,
                   targets=(Target("ferry-calls", "cpu_us", "blocking", 1.15),))
    yield Workload("https-bundle", "HTTPS, a full handshake, with the system's whole CA bundle", BLOCKING,
                   ("blocking",), arguments=("--https", "--ca", "@bundle.pem", *fresh[3:], "--no-resume"),
                   targets=(Target("ferry-calls", "cpu_us", "ferry-calls", 1.05, where="https-full"),))
    yield Workload("https-down-100m", "HTTPS, download of 100 MB to memory",
                   buffers("blocking") + buffers("ferry-calls") + buffers("curl-easy") + buffers("go"),
                   ("blocking/64k", "blocking/256k"), arguments=one + ("--path", "/100m"),
                   seconds=0.4, body=100 * MIB, rounds=3,
                   targets=(Target("ferry-calls/*", "cpu_us", "limit", 1.15),))
    yield Workload("https-up-100m", "HTTPS, upload of 100 MB from a file", BLOCKING, ("blocking",),
                   body=3, rounds=3,
                   arguments=one + ("--path", "/upload", "--upload", "@upload-100m"),
                   targets=(Target("ferry-calls", "cpu_us", "blocking", 1.15),))


def idling(most):
    plain = contenders("blocking", "ferry-tasks", "ferry-calls", "curl-multi", "go")
    tls = (contender("blocking"), contender("blocking", "--release", key="blocking/release",
                                            label="by hand, SSL_MODE_RELEASE_BUFFERS"), *plain[1:])
    for n, rounds, all_only in ((1000, 2, False), (10000, 1, False), (most, 1, True)):
        yield Workload(f"idle-{'max' if n == most else n}", f"{n} idle connections", plain, ("blocking",),
                       kind="idle", connections=n, arguments=("--idle", "5", "--addresses", "8"),
                       rounds=rounds, all_only=all_only,
                       targets=(Target("ferry-tasks", "kib", None, 9),
                                Target("ferry-tasks", "later_kib", None, 3)))
    for n, all_only in ((1000, False), (10000, True)):
        yield Workload(f"idle-tls-{n}", f"{n} idle TLS connections", tls, ("blocking", "blocking/release"),
                       kind="idle", connections=n, rounds=1, all_only=all_only,
                       arguments=("--idle", "5", "--addresses", "8", "--https", "--ca", "@ca.pem"),
                       targets=(Target("ferry-tasks", "kib", None, 20),))


def others(requests_when_flat):
    yield Workload("flat", f"memory over {requests_when_flat:,} requests, 64 connections",
                   contenders("ferry-tasks"), ("ferry-tasks",), connections=64, rounds=1,
                   requests=requests_when_flat, seconds=3600, turns=1, arguments=("--warm", "20000"),
                   targets=(Target("ferry-tasks", "growth_kib", None, 64),))
    yield Workload("start", "from process start to the first byte of one GET",
                   contenders("ferry", "curl", "start-ferry", "start-curl"), ("curl",), kind="start",
                   rounds=10, targets=(Target("ferry", "wall_us", "curl", 1),
                                       Target("start-ferry", "wall_us", "curl", 1)))
    for name, title, arguments, least in (
            ("", "one request", (), LEAST),
            ("-new", "one request on a new connection", ("--close",), ()),
            ("-https", "one request over TLS, kept alive", ("--https", "--ca", "@ca.pem"), LEAST),
            ("-https-full", "one full TLS handshake and a request",
             ("--https", "--ca", "@ca.pem", "--close", "--no-resume"), ())):
        yield Workload("instructions" + name, f"instructions of {title}, by callgrind",
                       contenders("epoll", "blocking", *least, "ferry-tasks", "ferry-calls",
                                  "curl-multi", "curl-easy"), ("epoll",), kind="instructions", rounds=1,
                       arguments=arguments, all_only=name != "")
    yield Workload("start-instructions", "instructions of a process that makes one GET, by callgrind",
                   contenders("ferry", "curl", "start-ferry", "start-curl"), ("curl",),
                   kind="start-instructions", rounds=1,
                   targets=(Target("ferry", "instructions", "curl", 2 / 3),
                            Target("start-ferry", "instructions", "curl", 2 / 3)))
    yield Workload("size", "sizes, and what is loaded", (), (), kind="size", rounds=1)


def all_workloads(most_idle, requests_when_flat):
    groups = (gets(), new_connections(), transfers(), https(), idling(most_idle),
              others(requests_when_flat))
    return [workload for group in groups for workload in group]


OF_BASE = ("get-1", "get-64", "get-512", "new-64", "https-64", "down-100m", "idle-1000", "instructions")


def against_base(workload):
    """The same for two revisions of ferry only: each contender beside its like of the base."""
    ours = [c for c in workload.contenders if c.program.startswith("ferry-")]
    pairs = tuple(p for c in ours for p in
                  (replace(c, key=c.key + "@base", label=c.label + ", base", program=c.program + "@base"), c))
    return replace(workload, contenders=pairs, limit=(), targets=())
