"""A result as tables of docs/performance.md, between two marks there."""

from report import in_short, show

BEGIN = "<!-- Figures: written by `make bench KEEP=1`, up to the mark below. -->"
END = "<!-- End of the figures. -->"

PEERS = (("ferry", "ferry-"), ("libcurl", "curl-"), ("Go", "go"))
BY_HAND = (("blocking loop", "blocking"), ("epoll loop", "epoll"), ("least client over epoll", "least"),
           ("ferry", "ferry-"))
STARTERS = (("`ferry`", "ferry"), ("`curl`", "curl"), ("a program of libferry's", "start-ferry"),
            ("a program of libcurl's", "start-curl"))
VERDICTS = {"met": "met", "missed": "**missed**", "missed by hand too": "missed by hand too"}
FIGURE_NAMES = {"cpu_us": "CPU", "wall_us": "time", "per_second": "requests a second", "kib": "KiB each",
                "later_kib": "KiB each, later", "growth_kib": "KiB grown", "opened": "connections",
                "instructions": "instructions"}


def cheapest(workload, prefix, figure):
    found = [c for c in workload["contenders"] if c["key"].startswith(prefix) and figure in c]
    # Idle connections are all on one thread, and a single connection has a blocking loop as its limit.
    only = {"idle": "ferry-tasks"}.get(workload["kind"], {"get-1": "ferry-calls"}.get(workload["name"]))
    if only is not None and prefix == "ferry-":
        found = [c for c in found if c["key"] == only]
    return min(found, default=None, key=lambda c: c[figure]["median"])


def limit(workload, figure):
    found = [c for c in workload["contenders"] if c["key"] in workload["limit"]]
    return min(found, default=None, key=lambda c: c[figure]["median"])


def cell(contender, figure, how):
    if contender is None:
        return "–"
    ratio = contender[figure].get("ratio")
    return show(contender[figure]["median"], how) + (f" ({ratio:.2f}×)" if ratio and how != "kib" else "")


def table(document, kind, figure, how, first):
    rows = [w for w in document["workloads"]
            if w["kind"] == kind and limit(w, figure) and len(w["contenders"]) > 1]
    if not rows:
        return
    yield f"| {first} | by hand | " + " | ".join(name for name, _ in PEERS) + " |"
    yield "| --- |" + " ---: |" * (len(PEERS) + 1)
    for workload in rows:
        cells = [show(limit(workload, figure)[figure]["median"], how)]
        cells += [cell(cheapest(workload, prefix, figure), figure, how) for _, prefix in PEERS]
        yield f"| {workload['title']} | " + " | ".join(cells) + " |"
    yield ""


def between(document):
    """What lies between the loops by hand and ferry, where several of them do the same."""
    yield "| work | " + " | ".join(name for name, _ in BY_HAND) + " |"
    yield "| --- |" + " ---: |" * len(BY_HAND)
    for workload in document["workloads"]:
        found = [cheapest(workload, prefix, "cpu_us") for _, prefix in BY_HAND]
        others = [c for c in found if c is not None and c["key"] not in workload["limit"]]
        if len(others) > 1:
            yield f"| {workload['title']} | " + " | ".join(cell(c, "cpu_us", "time") for c in found) + " |"
    yield ""


def starting(document):
    """To the first byte, and in instructions, of those of the workload start."""
    found = {w["kind"]: {c["key"]: c for c in w["contenders"]} for w in document["workloads"]}
    if "start" not in found:
        return
    counted = found.get("start-instructions", {})
    yield "| one GET, from starting a process | to the first byte | CPU | instructions |"
    yield "| --- | ---: | ---: | ---: |"
    for name, key in STARTERS:
        if key in found["start"]:
            row = found["start"][key]
            count = f"{counted[key]['instructions']['median']:,.0f}" if key in counted else "–"
            yield (f"| {name} | {show(row['wall_us']['median'], 'time')} "
                   f"| {show(row['cpu_us']['median'], 'time')} | {count} |")
    yield ""


def targets(document):
    yield "| workload | whose | against | wanted | is | by hand | |"
    yield "| --- | --- | --- | ---: | ---: | ---: | --- |"
    for t in document["targets"]:
        against = f", {t['against']}" if t["against"] else ""
        sign = "≥" if t["at_least"] else "≤"
        yield (f"| {t['workload']} | {t['ours'].removesuffix('/*')} | {FIGURE_NAMES[t['figure']]}{against} "
               f"| {sign} {t['wanted']:.3g} | {t['is']:.3g} | {in_short(t['by_hand'])} "
               f"| {VERDICTS[t['verdict']]} |")
    yield ""


def machine(document):
    m, v = document["machine"], document["versions"]
    tools = ", ".join(f"{name} {v[name]}" for name in ("nginx", "OpenSSL", "libcurl", "Go", "wrk")
                      if name in v)
    yield (f"{document['when'][:10]}, {m['processor']}, {m['cores']} cores, {m['kernel']}; {tools}; "
           f"ferry {v['ferry']}. Medians of {document['rounds']} rounds; load average of the machine "
           f"{document['load']:.1f} (on one that does nothing else it is 1 to 2).")
    yield ""


def figures(document):
    lines = [BEGIN, "", *machine(document),
             "CPU time of a request (of a transfer), and its ratio to the loop by hand:", "",
             *table(document, "requests", "cpu_us", "time", "work"),
             "The same where there is more than one loop by hand: what is between the first two is the "
             "kernel's, for waiting that can be ended by more than one socket; what is between these and "
             "the least client, everybody's who does not know the server; and the rest is ferry's:", "",
             *between(document),
             "Instructions of one, outside the kernel:", "",
             *table(document, "instructions", "instructions", "count", "work"), *starting(document),
             "Resident memory of an idle connection, in KiB, right away:", "",
             *table(document, "idle", "kib", "kib", "work"), "And after some seconds:", "",
             *table(document, "idle", "later_kib", "kib", "work"),
             "Where ferry is to stand, and where it does. By hand: what the target comes to for a client by hand "
             "(the loop, where the target is set against another client; where it is set against the loop, the "
             "least client, or the loop that waits by epoll); noise is in that as well:", "",
             *targets(document), END]
    return "\n".join(lines)


def rewrite(path, document):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path}: the marks are missing between which the figures stand")
    with open(path, "w", encoding="utf-8") as file:
        file.write(before + figures(document) + after)
