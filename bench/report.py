"""What the runs come to: medians, ratios, the tables, the verdicts on the targets, the JSON."""

import json
import os
import platform
import re
import statistics
import subprocess
import time

# The figures of each kind of workload, the main one first: key, heading, how it is shown.
FIGURES = {
    "requests": [("cpu_us", "CPU", "time"), ("user_us", "user", "time"), ("wall_us", "wall", "time"),
                 ("per_second", "requests/s", "count"), ("peak_kib", "peak KiB", "count"),
                 ("opened", "connections", "count"), ("p50_us", "p50", "time"), ("p99_us", "p99", "time")],
    "idle": [("kib", "KiB each", "kib"), ("later_kib", "later", "kib"), ("trimmed_kib", "trimmed", "kib"),
             ("open_cpu_us", "CPU to open", "time"), ("idle_cpu_us", "while idle", "time")],
    "start": [("wall_us", "to first byte", "time"), ("cpu_us", "CPU", "time")],
    "instructions": [("instructions", "instructions", "count")],
    "start-instructions": [("instructions", "instructions", "count"),
                           ("only_loading", "only loading", "count")],
}


def summary(values, marks=None):
    """The median of a figure and its spread; with marks (the limit's figures), of its ratio as well.
    There is no ratio to nothing: the system samples user time, and may have met none in a short run."""
    result = {"median": statistics.median(values), "least": min(values), "most": max(values),
              "values": values}
    if marks and all(marks):
        ratios = [value / mark for value, mark in zip(values, marks)]
        result.update(ratio=statistics.median(ratios), ratio_least=min(ratios), ratio_most=max(ratios))
    return result


def cheapest(keys, results, figure):
    """Of these contenders the one with the least median; None: none of them is here."""
    here = [key for key in keys if key in results]
    return min(here, default=None, key=lambda key: statistics.median(r[figure] for r in results[key]))


def limit_of(workload, results, key):
    """Whose figures a contender's are set against."""
    if not workload.limit:
        return key if key.endswith("@base") else key + "@base"
    return cheapest(workload.limit, results, FIGURES[workload.kind][0][0])


def summarize(chosen, results):
    """{workload name: {contender key: {figure: summary}}}"""
    rows = {}
    for workload in chosen:
        of_workload = results[workload.name]
        rows[workload.name] = {}
        if not of_workload:
            continue  # one that has no contenders, or none of them is here
        compared = (FIGURES[workload.kind][0][0], "wall_us", "per_second")
        for key, rounds in of_workload.items():
            marks = of_workload.get(limit_of(workload, of_workload, key))
            rows[workload.name][key] = {
                figure: summary([r[figure] for r in rounds],
                                [r[figure] for r in marks] if marks and figure in compared else None)
                for figure in rounds[0]}
            rows[workload.name][key]["rounds"] = len(rounds)
    return rows


# --------------------------------------------------------------------------------------- targets

def figure_of(rows, workload, keys, figure):
    """The summary of the cheapest of these; a key may end in an asterisk. None: none was measured."""
    of_workload = rows.get(workload, {})
    found = [of_workload[k][figure] for k in of_workload
             if any(k == key or key.endswith("*") and k.startswith(key[:-1]) for key in keys)]
    return min(found, default=None, key=lambda summary: summary["median"])


def ratio_to(ours, mark, same_workload):
    """Round by round, where the two stand beside each other in one."""
    if not same_workload or len(ours["values"]) != len(mark["values"]):
        return ours["median"] / mark["median"]
    return statistics.median(a / b for a, b in zip(ours["values"], mark["values"]))


def client_by_hand(workload, target, rows):
    """What a target comes to for a client that is written by hand: the limit, where the target is set
    against another client; where it is set against the limit, the next that there is, which has to wait for
    more than one socket or cannot believe the server. None: nothing of that was measured."""
    if target.against is None or target.where is not None:
        return None
    marks = workload.limit if target.against == "limit" else (target.against,)
    against_limit = target.against in (*workload.limit, "limit")
    for keys in (("least",), ("epoll", "epoll/*")) if against_limit else (workload.limit,):
        hand = figure_of(rows, workload.name, [key for key in keys if key not in marks], target.figure)
        if hand is not None:
            return ratio_to(hand, figure_of(rows, workload.name, marks, target.figure), True)
    return None


def meets(target, ratio):
    return ratio >= target.factor if target.at_least else ratio <= target.factor


def judge_one(workload, target, rows):
    ours = figure_of(rows, workload.name, [target.ours], target.figure)
    if ours is None:
        return None
    if target.against is None:
        ratio = ours["median"]
    else:
        keys = [target.against] if target.against != "limit" else workload.limit
        mark = figure_of(rows, target.where or workload.name, keys, target.figure)
        if mark is None or not min(mark["values"]) > 0:
            return None
        ratio = ratio_to(ours, mark, target.where is None)
    hand = client_by_hand(workload, target, rows)
    verdict = "met" if meets(target, ratio) else \
        "missed" if hand is None or meets(target, hand) else "missed by hand too"
    against = target.against and target.against + (f" in {target.where}" if target.where else "")
    return {"workload": workload.name, "ours": target.ours, "figure": target.figure, "against": against,
            "wanted": target.factor, "at_least": target.at_least, "is": ratio, "by_hand": hand,
            "verdict": verdict}


def judge(chosen, rows):
    verdicts = [judge_one(w, target, rows) for w in chosen for target in w.targets]
    return [verdict for verdict in verdicts if verdict is not None]


def print_verdicts(verdicts):
    if not verdicts:
        return
    print("\nWhere ferry must stand (medians)")
    print("  by hand: what the target comes to for a client by hand, in this run")
    print(f"  {'workload':18} {'whose':14} {'figure':12} {'against':26} {'wanted':>9} {'is':>9} {'by hand':>9}")
    for v in verdicts:
        sign = "≥" if v["at_least"] else "≤"
        print(f"  {v['workload']:18} {v['ours']:14} {v['figure']:12} {v['against'] or '':26} "
              f"{sign + format(v['wanted'], '.3g'):>9} {v['is']:>9.3g} {in_short(v['by_hand']):>9}  "
              f"{v['verdict'] if v['verdict'] == 'met' else v['verdict'].upper()}")


def in_short(ratio):
    return "–" if ratio is None else f"{ratio:.3g}"


# ---------------------------------------------------------------------------------------- tables

def show(value, how):
    if how == "time":
        for unit, scale in (("s", 1e6), ("ms", 1e3)):
            if value >= scale:
                return f"{value / scale:.2f} {unit}"
        return f"{value:.2f} µs"
    return f"{value:.1f}" if how == "kib" else f"{value:.0f}"


def print_table(workload, rows):
    figures = [figure for figure in FIGURES[workload.kind]
               if any(figure[0] in row for row in rows.values())]
    main, _, how = figures[0]
    print(f"\n{workload.name}: {workload.title}")
    heads = "".join(f" {heading:>12}" for _, heading, _ in figures[1:])
    print(f"  {'':34} {figures[0][1] + ' (least–most)':>32} {'x (least–most)':>18}{heads}")
    for contender in workload.contenders:
        row = rows.get(contender.key)
        if row is None:
            continue
        figure = row[main]
        least, most = show(figure["least"], how), show(figure["most"], how)
        spread = f"{show(figure['median'], how)} ({least}–{most})"
        ratio = f"{figure['ratio']:.2f} ({figure['ratio_least']:.2f}–{figure['ratio_most']:.2f})" \
            if "ratio" in figure else ""
        rest = "".join(f" {show(row[key]['median'], as_what) if key in row else '':>12}"
                       for key, _, as_what in figures[1:])
        print(f"  {contender.label:34} {spread:>32} {ratio:>18}{rest}")


def print_tables(chosen, rows, sizes, rounds):
    print(f"Medians of {rounds} rounds at most. CPU: user and system time of the client's process, a request.")
    print("x: the first figure as a ratio to the limit's, in the same round.")
    for workload in chosen:
        if rows[workload.name]:
            print_table(workload, rows[workload.name])
    if sizes:
        print("\nsize: stripped, and the shared libraries loaded at the start")
        print(f"  {'':20} {'KiB':>8} {'libraries':>10}")
        for name, entry in sizes.items():
            print(f"  {name:20} {entry.get('bytes', 0) / 1024:>8.0f} {len(entry['loads']):>10}")


# ------------------------------------------------------------------------------------------ JSON

def processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return re.search(r"model name\s*: (.*)", file.read()).group(1)
    except (OSError, AttributeError):
        return platform.machine()


def first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return (done.stdout + done.stderr).strip().splitlines()[0]
    except (OSError, IndexError):
        return ""


def versions(nginx, programs):
    found = {"nginx": nginx.version(), "cc": first_line("cc", "--version"),
             "OpenSSL": first_line("openssl", "version").split(" ")[1],
             "ferry": first_line("git", "describe", "--always", "--dirty", "--abbrev=12")}
    if "curl" in programs:
        found["libcurl"] = first_line(programs["curl"], "--version").split(" ")[1]
    if "go" in programs:
        found["Go"] = first_line("go", "version").split(" ")[2].removeprefix("go")
    if "wrk" in programs:
        found["wrk"] = first_line(programs["wrk"], "-v").split(" [")[0].rpartition("/")[2]
    if "h2load" in programs:
        found["h2load"] = first_line(programs["h2load"], "--version").rpartition("/")[2]
    return found


def document(chosen, rows, verdicts, sizes, versions_of, options):
    return {
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": {"processor": processor(), "cores": os.cpu_count(),
                    "kernel": f"{platform.system()} {platform.release().split('-')[0]}"},
        "versions": versions_of,
        "load": os.getloadavg()[1],
        "rounds": options.rounds,
        "base": options.base or None,
        "workloads": [{"name": w.name, "title": w.title, "kind": w.kind, "connections": w.connections,
                       "limit": list(w.limit),
                       "contenders": [{"key": c.key, "label": c.label, **rows[w.name][c.key]}
                                      for c in w.contenders if c.key in rows[w.name]]}
                      for w in chosen if rows[w.name]],
        "targets": verdicts,
        "sizes": sizes,
    }


def write_json(path, content):
    folder = os.path.dirname(path)
    if folder:
        os.makedirs(folder, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write("{\n" + ",\n".join(f"{json.dumps(key)}: {in_lines(part)}"
                                      for key, part in rounded(content).items()) + "\n}\n")


def in_lines(part):
    """A line for each workload, and for each target."""
    if not isinstance(part, list):
        return json.dumps(part, ensure_ascii=False)
    return "[\n" + ",\n".join(json.dumps(item, ensure_ascii=False) for item in part) + "\n]"


def rounded(value):
    """Five digits say all that a measurement does."""
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value
