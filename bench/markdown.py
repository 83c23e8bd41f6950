"""A result as tables of docs/performance.md, between two marks there."""

from report import show

BEGIN = "<!-- Figures: written by `make bench KEEP=1`, up to the mark below. -->"
END = "<!-- End of the figures. -->"

PEERS = (("ferry", "ferry-"), ("libcurl", "curl-"), ("Go", "go"))
FIGURE_NAMES = {"cpu_us": "CPU", "wall_us": "time", "per_second": "requests a second", "kib": "KiB each",
                "later_kib": "KiB each, later", "growth_kib": "KiB grown", "opened": "connections",
                "instructions": "instructions"}


def cheapest(workload, prefix, figure):
    found = [c for c in workload["contenders"] if c["key"].startswith(prefix) and figure in c]
    if workload["name"] == "get-1" and prefix == "ferry-":
        found = [c for c in found if c["key"] == "ferry-calls"]
    return min(found, default=None, key=lambda c: c[figure]["median"])


def limit(workload, figure):
    found = [c for c in workload["contenders"] if c["key"] in workload["limit"]]
    return min(found, default=None, key=lambda c: c[figure]["median"])


def cell(contender, figure, how):
    if contender is None:
        return "–"
    ratio = contender[figure].get("ratio")
    return show(contender[figure]["median"], how) + (f" ({ratio:.2f}×)" if ratio is not None else "")


def table(document, kind, figure, how, first):
    rows = [w for w in document["workloads"] if w["kind"] == kind and limit(w, figure)]
    if not rows:
        return
    yield f"| {first} | by hand | " + " | ".join(name for name, _ in PEERS) + " |"
    yield "| --- |" + " ---: |" * (len(PEERS) + 1)
    for workload in rows:
        cells = [show(limit(workload, figure)[figure]["median"], how)]
        cells += [cell(cheapest(workload, prefix, figure), figure, how) for _, prefix in PEERS]
        yield f"| {workload['title']} | " + " | ".join(cells) + " |"
    yield ""


def targets(document):
    yield "| workload | whose | against | wanted | is | |"
    yield "| --- | --- | --- | ---: | ---: | --- |"
    for t in document["targets"]:
        against = f", {t['against']}" if t["against"] else ""
        sign = "≥" if t["at_least"] else "≤"
        yield (f"| {t['workload']} | {t['ours'].removesuffix('/*')} | {FIGURE_NAMES[t['figure']]}{against} "
               f"| {sign} {t['wanted']:.3g} | {t['is']:.3g} | {'met' if t['met'] else '**missed**'} |")
    yield ""


def machine(document):
    m, v = document["machine"], document["versions"]
    tools = ", ".join(f"{name} {v[name]}" for name in ("nginx", "libcurl", "go", "wrk") if v.get(name))
    tools = tools.replace("libcurl curl ", "libcurl ").replace("go go", "Go ")
    yield (f"{document['when'][:10]}, {m['processor']}, {m['cores']} cores, {m['kernel']}; {tools}, "
           f"{v['openssl'].split(' (')[0]}; ferry {v['ferry']}. Medians of {document['rounds']} rounds.")
    yield ""


def figures(document):
    lines = [BEGIN, "", *machine(document),
             "CPU time of a request (of a transfer), and its ratio to the loop by hand:", "",
             *table(document, "requests", "cpu_us", "time", "work"),
             "Resident memory of an idle connection, in KiB, right away:", "",
             *table(document, "idle", "kib", "kib", "work"), "And after some seconds:", "",
             *table(document, "idle", "later_kib", "kib", "work"),
             "Where ferry is to stand, and where it does:", "", *targets(document), END]
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
