#!/usr/bin/env python3
"""Draws the charts of a run, each for a light and for a dark page.

    bench/charts.py RESULT.json FOLDER

bench-cpu: the CPU time of a request, in every kind of work, as a ratio to the client by hand.
bench-memory: what an idle connection holds. run.py calls this; it needs matplotlib.
"""

import json
import os
import sys

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "ferry", "font.size": 10,
                            "font.family": "sans-serif"})
import matplotlib.pyplot as plt  # noqa: E402: after the choice above

PAGES = {
    "light": {"text": "#24292f", "faint": "#d0d7de", "hand": "#57606a", "ferry": "#0969da",
              "libcurl": "#cf222e", "Go": "#1a7f37"},
    "dark": {"text": "#e6edf3", "faint": "#3d444d", "hand": "#9198a1", "ferry": "#4493f8",
             "libcurl": "#f85149", "Go": "#3fb950"},
}
MARKS = {"ferry": "o", "libcurl": "s", "Go": "^"}

# The rows of bench-cpu from top to bottom: workload, name on the chart.
ROWS = [
    ("get-1", "GET, 1 connection"), ("get-64", "GET, 64 connections"),
    ("get-512", "GET, 512 connections"), ("get-4000", "GET, 4,000 connections"),
    ("threads-8", "GET, 8 threads"), ("new-64", "GET, new connections"),
    ("down-100m", "100 MB down"), ("save-100m", "100 MB to a file"), ("up-16k", "16 KiB up"),
    ("up-100m", "100 MB up"), ("https-64", "HTTPS, kept alive"), ("https-full", "HTTPS, full handshakes"),
    ("https-resumed", "HTTPS, resumed"), ("https-bundle", "HTTPS, whole CA bundle"),
]


def family(key):
    """Whose a contender is: one of MARKS, or None."""
    for prefix, whose in (("ferry-", "ferry"), ("curl-", "libcurl"), ("go", "Go")):
        if key.startswith(prefix):
            return whose
    return None


def ratios(workload):
    """{family: the CPU time of its cheapest contender, as a ratio to the limit}"""
    found = {}
    for contender in workload["contenders"]:
        whose = family(contender["key"])
        # Plain calls are measured against the blocking loop, where there are both.
        if workload["name"] == "get-1" and contender["key"] == "ferry-tasks":
            continue
        ratio = contender["cpu_us"].get("ratio")
        if whose is not None and ratio is not None:
            found[whose] = min(ratio, found.get(whose, ratio))
    return found


def begin(page, width, height):
    figure, axes = plt.subplots(figsize=(width, height), layout="constrained")
    figure.patch.set_alpha(0)
    axes.patch.set_alpha(0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(page["faint"])
    axes.tick_params(colors=page["text"], length=0)
    axes.grid(axis="x", color=page["faint"], linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def legend(axes, page, **place):
    shown = axes.legend(frameon=False, labelcolor=page["text"], **place)
    shown.set_zorder(3)


def draw_cpu(document, page):
    workloads = {w["name"]: w for w in document["workloads"]}
    rows = [(ratios(workloads[name]), label) for name, label in ROWS if name in workloads]
    if not rows:
        return None
    figure, axes = begin(page, 8.2, 0.34 * len(rows) + 1.1)
    for whose, mark in MARKS.items():
        points = [(found[whose], -i) for i, (found, _) in enumerate(rows) if whose in found]
        axes.scatter([x for x, _ in points], [y for _, y in points], s=58, marker=mark, label=whose,
                     color=page[whose], zorder=4 if whose == "ferry" else 3, linewidths=0)
    axes.axvline(1, color=page["hand"], linewidth=1.4, zorder=2)
    axes.set_xscale("log")
    most = max(max(found.values()) for found, _ in rows if found)
    ticks = [t for t in (0.5, 1, 1.5, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 100) if t <= most * 1.2]
    axes.set_xticks(ticks, [f"{t:g}×" for t in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlim(min(0.8, *(min(found.values()) for found, _ in rows if found)) * 0.95, most * 1.2)
    axes.set_yticks([-i for i in range(len(rows))], [label for _, label in rows])
    axes.set_ylim(-len(rows) + 0.4, 0.6)
    axes.set_xlabel("CPU time of a request; 1× is a loop written by hand (less is better)",
                    color=page["text"])
    legend(axes, page, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    return figure


def draw_memory(document, page):
    groups = [(w, label) for name, label in (("idle-10000", "10,000 idle connections"),
                                             ("idle-tls-1000", "1,000 idle TLS connections"))
              for w in document["workloads"] if w["name"] == name]
    bars = []  # label, right away, later, colour; or a heading alone
    for workload, heading in groups:
        bars.append((heading,))
        for contender in workload["contenders"]:
            whose = family(contender["key"])
            if whose is None or contender["key"] == "ferry-calls":
                continue
            bars.append((whose, contender["kib"]["median"], contender["later_kib"]["median"], page[whose]))
    if not bars:
        return None
    figure, axes = begin(page, 8.2, 0.34 * len(bars) + 0.9)
    labels = []
    for i, bar in enumerate(bars):
        labels.append(bar[0])
        if len(bar) == 1:
            continue
        axes.barh(-i, bar[1], height=0.62, color=bar[3], alpha=0.4, linewidth=0)
        axes.barh(-i, bar[2], height=0.62, color=bar[3], linewidth=0)
        axes.text(bar[1], -i, f"  {bar[1]:.1f}, later {bar[2]:.1f}", va="center", color=page["text"],
                  fontsize=9)
    axes.set_yticks([-i for i in range(len(bars))], labels)
    for tick, bar in zip(axes.get_yticklabels(), bars):
        tick.set_fontweight("bold" if len(bar) == 1 else "normal")
    axes.set_xlim(0, max(bar[1] for bar in bars if len(bar) > 1) * 1.25)
    axes.set_xlabel("KiB resident for each connection: right away, and after some seconds idle",
                    color=page["text"])
    return figure


def draw(document, folder):
    """Returns the files it has written."""
    os.makedirs(folder, exist_ok=True)
    written = []
    for name, drawing in (("bench-cpu", draw_cpu), ("bench-memory", draw_memory)):
        for page, colours in PAGES.items():
            figure = drawing(document, colours)
            if figure is None:
                continue
            path = os.path.join(folder, f"{name}-{page}.svg")
            figure.savefig(path, transparent=True, metadata={"Date": None})
            plt.close(figure)
            written.append(path)
    return written


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        document = json.load(file)
    for path in draw(document, sys.argv[2]):
        print(path)


if __name__ == "__main__":
    main()
