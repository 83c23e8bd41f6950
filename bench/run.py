#!/usr/bin/env python3
"""Runs the contenders in turn against an nginx of its own and compares what a request costs each.

    bench/run.py BUILD-FOLDER [--work NAME,...] [--rounds N] [--all] [--base REVISION] [--keep]

Called by tools/bench.sh (`make bench`). Every round runs every contender of every workload once, so that
whatever else the machine does meets all of them alike; ratios are taken inside a round, and the table
shows their median and how far apart they lay. docs/performance.md tells what is measured, and why.
"""

import argparse
import contextlib
import dataclasses
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True

import markdown
import report
import revision
import runs
import workloads
from server import Nginx

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROUNDS = 5
FLAT_REQUESTS, FLAT_REQUESTS_OF_ALL = 300_000, 10_000_000
SPARE_DESCRIPTORS = 600
MOST_IDLE = 60_000


def fail(message):
    sys.exit(f"bench: {message}")


def say(message):
    print(message, file=sys.stderr, flush=True)


def raise_descriptors():
    """Returns how many there can be."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def find_programs(build):
    """{name: path} of what is here."""
    path = os.environ.get("PATH", "")
    programs = {name: os.path.join(build, "bench", name) for name in
                ("epoll", "blocking", "least", "ferry-tasks", "ferry-calls", "curl-multi",
                 "curl-easy", "start-ferry", "start-curl")}
    programs["go"] = os.path.join(build, "bench", "go-http")
    programs["ferry"] = os.path.join(build, "cli", "ferry")
    programs.update({name: shutil.which(name, path=path) or "" for name in ("wrk", "h2load", "curl")})
    return {name: path for name, path in programs.items() if os.access(path, os.X_OK)}


def choose(options, descriptors):
    """The workloads that are wanted, in their order."""
    most_idle = min(MOST_IDLE, descriptors - SPARE_DESCRIPTORS)
    known = workloads.all_workloads(most_idle, FLAT_REQUESTS_OF_ALL if options.all else FLAT_REQUESTS)
    known = [w for w in known if w.connections + SPARE_DESCRIPTORS <= descriptors]
    names = [w.name for w in known]
    if options.work:
        wanted = [name for name in names
                  if any(name == part or part.endswith("*") and name.startswith(part[:-1])
                         for part in options.work.split(","))]
        if not wanted:
            fail(f"{options.work}: there is no such workload. There are: {' '.join(names)}")
    elif options.base:
        wanted = workloads.OF_BASE
    else:
        wanted = [w.name for w in known if options.all or not w.all_only]
    chosen = [w for w in known if w.name in wanted]
    if options.seconds is not None:
        chosen = [dataclasses.replace(w, seconds=options.seconds) for w in chosen]
    return [workloads.against_base(w) for w in chosen if w.contenders] if options.base else chosen


def try_one(workload, contender, runner, results):
    """One that fails is told of, and has fewer turns; the others go on."""
    try:
        figures = runner.run(workload, contender)
        results.setdefault(contender.key, []).append(figures)
    except runs.Failed as failure:
        say(f"  FAILED: {workload.name}: {failure}")
        runner.failures += 1


def take_turns(workload, runner, results):
    """A round of one workload: the machine is another every second, so each has a short turn, and then
    each another, in an order by chance: who comes behind whom makes a difference as well. A tool decides
    itself how long it runs, and runs once."""
    turns = workload.turns if workload.kind == "requests" else 1
    turn_of = dataclasses.replace(workload, seconds=workload.seconds / turns)
    figures = {}
    for turn in range(turns):
        for contender in random.sample(workload.contenders, len(workload.contenders)):
            if runner.has(workload, contender) and (turn == 0 or contender.program not in runs.TOOLS):
                try_one(turn_of, contender, runner, figures)
    for key, of_turns in figures.items():
        results.setdefault(key, []).append(runs.together(of_turns))


def measure(chosen, runner, options):
    """{workload name: {contender key: [figures of round 1, of round 2, ...]}}"""
    results = {w.name: {} for w in chosen}
    began = time.monotonic()
    for number in range(options.rounds):
        for workload in chosen:
            if number >= workload.rounds or workload.kind == "size":
                continue
            take_turns(workload, runner, results[workload.name])
            if number == 0:
                say(f"  {workload.name} ({time.monotonic() - began:.0f} s)")
        say(f"round {number + 1} of {options.rounds}, {time.monotonic() - began:.0f} s")
    return results


def measure_sizes(chosen, programs, build):
    if not any(w.kind == "size" for w in chosen):
        return None
    libraries = {"libferry.so": os.path.join(build, "libferry.so")}
    for folder in ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"):
        path = os.path.join(folder, "libcurl.so.4")
        if os.path.exists(path):
            libraries["libcurl.so.4"] = os.path.realpath(path)
            break
    return runs.sizes(programs, {name: path for name, path in libraries.items() if os.path.exists(path)})


def draw(json_file, folder):
    """By a python3 that has matplotlib: the system's package is for the system's own, which may not be
    the one that runs this."""
    for python in (sys.executable, "/usr/bin/python3"):
        if os.access(python, os.X_OK) and quietly([python, "-c", "import matplotlib"]).returncode == 0:
            done = quietly([python, os.path.join(TOP, "bench", "charts.py"), json_file, folder])
            if done.returncode != 0:
                fail(f"bench/charts.py: {done.stderr.strip()}")
            return done.stdout.split()
    say("no charts: matplotlib is not installed (Debian: python3-matplotlib)")
    return []


def quietly(command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


def write(document, options):
    """The JSON and the charts, into the build's folder or to where the documentation shows them."""
    json_file, charts_folder = os.path.join(options.build, "bench.json"), os.path.join(options.build, "bench")
    if options.keep:
        json_file = os.path.join(TOP, "bench", "results", document["when"][:10] + ".json")
        charts_folder = os.path.join(TOP, "docs", "images")
    json_file, charts_folder = options.out or json_file, options.charts or charts_folder
    report.write_json(json_file, document)
    written = [json_file]
    if not options.base:
        written += draw(json_file, charts_folder)
    if options.keep:
        written.append(os.path.join(TOP, "docs", "performance.md"))
        markdown.rewrite(written[-1], document)
    print("\nwritten: " + " ".join(os.path.relpath(path) for path in written))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", help="the folder of a build with FERRY_BUILD_BENCH")
    parser.add_argument("--work", default="", help="workloads, separated by commas; get-* for a family")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--all", action="store_true", help="every workload, and 10 million requests")
    parser.add_argument("--base", default="", help="compare with this revision of ferry")
    parser.add_argument("--seconds", type=float, help="of every run, instead of what suits the workload")
    parser.add_argument("--latency", action="store_true", help="time each request as well (not Go's)")
    parser.add_argument("--out", help="where the JSON goes (default: BUILD-FOLDER/bench.json)")
    parser.add_argument("--charts", help="where the charts go (default: BUILD-FOLDER/bench)")
    parser.add_argument("--keep", action="store_true",
                        help="figures go to bench/results, charts to docs/images")
    parser.add_argument("--list", action="store_true", help="name the workloads, and do nothing")
    options = parser.parse_args()
    if options.rounds < 1:
        fail("--rounds: 1 is the least")
    if options.keep and (options.work or options.base):
        fail("--keep: not with --work or --base, since the documentation shows them all")
    return options


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    options = arguments()
    descriptors = raise_descriptors()
    chosen = choose(options, descriptors)
    if options.list:
        for workload in chosen:
            print(f"{workload.name:20} {workload.title}")
        return
    programs = find_programs(options.build)
    if "ferry-tasks" not in programs:
        fail(f"there is no benchmark in {options.build}/bench")
    with contextlib.ExitStack() as stack:
        if options.base:
            base = stack.enter_context(revision.Base(options.base, fail, say))
            programs.update(base.programs)
        most = max([w.connections for w in chosen] + [64])
        nginx = stack.enter_context(Nginx(most, descriptors, fail))
        versions = report.versions(nginx, programs)
        runner = runs.Runner(programs, nginx, options.latency)
        results = measure(chosen, runner, options)
        rows = report.summarize(chosen, results)
        sizes = measure_sizes(chosen, programs, options.build)
        report.print_tables(chosen, rows, sizes, options.rounds)
        verdicts = report.judge(chosen, rows)
        report.print_verdicts(verdicts)
        document = report.document(chosen, rows, verdicts, sizes, versions, options)
        write(document, options)
    if runner.failures > 0:
        fail(f"{runner.failures} runs failed")


if __name__ == "__main__":
    main()
