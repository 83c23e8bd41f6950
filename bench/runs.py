"""One run of one contender: what it is called with, and what its figures are."""

import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import threading
import time

from server import on_client_processor, on_processors

VALGRIND = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null")
START_RUNS = 10  # of a program that is started over and over
TOOLS = ("wrk", "h2load")
COUNTED_REQUESTS = (100, 300)  # instructions are those of the difference


class Failed(Exception):
    pass


def run(command, timeout, all_others=False):
    """Standard output, standard error, and the rusage of the one process. Nothing here stirs while it
    runs."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                   preexec_fn=on_processors(all_others=all_others))
        guard = threading.Timer(timeout, process.kill)
        guard.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            guard.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    if process.returncode != 0:
        raise Failed(f"{' '.join(command)}: status {process.returncode}: {texts[1].strip()[-500:]}")
    return texts[0], texts[1], usage


class Runner:
    """programs: {name: path}; those without a path are not here."""

    def __init__(self, programs, nginx, latency=False):
        self.programs = programs
        self.nginx = nginx
        self.latency = latency
        self.failures = 0
        self.kinds = {"requests": self.requests, "idle": self.idle, "start": self.start,
                      "instructions": self.instructions, "start-instructions": self.start_instructions}

    def has(self, workload, contender):
        if workload.kind.endswith("instructions") and shutil.which("valgrind") is None:
            return False
        return contender.program in self.programs

    def run(self, workload, contender):
        return self.kinds[workload.kind](workload, contender)

    # ------------------------------------------------------------------------------ the arguments

    def arguments(self, workload, contender):
        given = [*workload.arguments, *contender.arguments]
        given = [self.nginx.place(text[1:]) if text.startswith("@") else text for text in given]
        tls = "--https" in given
        common = ["--port", str(self.nginx.tls_port if tls else self.nginx.port)]
        if "--path" not in given:
            common += ["--path", "/1k"]
        return common + ["--bytes", str(workload.body), "--connections", str(workload.connections)] + given

    def url(self, tls=False):
        scheme, port = ("https", self.nginx.tls_port) if tls else ("http", self.nginx.port)
        return f"{scheme}://127.0.0.1:{port}/1k"

    # ----------------------------------------------------------------------------------- requests

    def requests(self, workload, contender):
        if contender.program in TOOLS:
            return self.tool(workload, contender)
        command = [self.programs[contender.program], *self.arguments(workload, contender), "--requests",
                   str(workload.requests), "--seconds", str(workload.seconds)]
        if self.latency and contender.program != "go":
            command.append("--latency")
        try:
            out, _, _ = run(command, workload.seconds + 240, workload.all_processors)
        finally:
            if "@saved" in workload.arguments:  # memory, where that is where the folder is
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.nginx.place("saved"))
        return request_figures(json.loads(out))

    def tool(self, workload, contender):
        """It does not say what CPU time it took: that of the whole process counts, its beginning included."""
        n, tls = workload.connections, "--https" in workload.arguments
        if contender.program == "wrk":
            seconds = 1 + n // 2000  # which has to suffice for connecting as well
            command = [self.programs["wrk"], "-t1", f"-c{n}", f"-d{seconds}s", self.url(tls)]
            pattern = r"(\d+) requests in ([\d.]+)(ms|s|m)"
        else:
            command = [self.programs["h2load"], "--h1", "-t1", f"-c{n}", f"-n{400 * n}",
                       self.url(tls)]
            pattern = r"finished in ([\d.]+)(ms|s),.*?(\d+) succeeded"
        out, _, usage = run(command, 120)
        found = re.search(pattern, out, re.DOTALL)
        count, wall, unit = (0, 0, "s") if found is None else \
            found.groups() if contender.program == "wrk" else found.group(3, 1, 2)
        if int(count) == 0 or re.search(r"Non-2xx|Socket errors", out):
            raise Failed(f"{' '.join(command)}: {out.strip()}")
        seconds = float(wall) * {"ms": 1e-3, "s": 1, "m": 60}[unit]
        return request_figures({"requests": int(count), "wall_s": seconds, "user_s": usage.ru_utime,
                                "system_s": usage.ru_stime, "opened": n})

    # ------------------------------------------------------------------------------ idle, starting

    def idle(self, workload, contender):
        command = [self.programs[contender.program], *self.arguments(workload, contender)]
        out, _, _ = run(command, 240)
        line = json.loads(out)
        before, count = line["resident_before_kib"], workload.connections
        return {"kib": (line["resident_kib"] - before) / count,
                "later_kib": (line["resident_later_kib"] - before) / count,
                "trimmed_kib": (line["resident_trimmed_kib"] - before) / count,
                "open_cpu_us": (line["user_s"] + line["system_s"]) / count * 1e6,
                "idle_cpu_us": line["idle_cpu_s"] / count * 1e6,
                "resident_kib": line["resident_kib"]}

    def start_command(self, contender):
        extra = ["-s"] if contender.program == "curl" else []
        return [self.programs[contender.program], *extra, self.url()]

    def start(self, _, contender):
        """The first byte is one that the program has written."""
        walls, usages = [], []
        command = self.start_command(contender)
        with on_client_processor():  # it is inherited: doing it in the child makes starting dearer
            for _ in range(START_RUNS):
                wall, usage = self.start_once(command)
                walls.append(wall)
                usages.append(usage)
        walls.sort()
        return {"wall_us": walls[len(walls) // 2] * 1e6,
                "cpu_us": sum(u.ru_utime + u.ru_stime for u in usages) / len(usages) * 1e6}

    @staticmethod
    def start_once(command):
        began = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL)
        got = os.read(process.stdout.fileno(), 1)
        wall = time.perf_counter() - began
        while os.read(process.stdout.fileno(), 65536):
            pass
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stdout.close()
        if process.returncode != 0 or got == b"":
            raise Failed(f"{' '.join(command)}: status {process.returncode}")
        return wall, usage

    # ------------------------------------------------------------------------------- instructions

    def count_instructions(self, command):
        _, err, _ = run([*VALGRIND, *command], 300)
        return int(re.search(r"Collected : (\d+)", err).group(1))

    def instructions(self, workload, contender):
        few, many = COUNTED_REQUESTS
        base = [self.programs[contender.program], *self.arguments(workload, contender), "--seconds", "3600",
                "--requests"]
        counts = [self.count_instructions([*base, str(number)]) for number in (few, many)]
        return {"instructions": (counts[1] - counts[0]) / (many - few)}

    def start_instructions(self, _, contender):
        whole = self.count_instructions(self.start_command(contender))
        figures = {"instructions": whole}
        if contender.program.startswith("start-"):
            figures["only_loading"] = self.count_instructions([self.programs[contender.program]])
        return figures


def together(of_turns):
    """The figures of a round that was taken in turns: their means, but for what is counted or is a peak."""
    how = {"requests": sum, "opened": max, "peak_kib": max}
    return {figure: how.get(figure, statistics.fmean)([figures[figure] for figures in of_turns])
            for figure in of_turns[0]}


def request_figures(line):
    """What a run says about one request."""
    count = line["requests"]
    figures = {"cpu_us": (line["user_s"] + line["system_s"]) / count * 1e6,
               "user_us": line["user_s"] / count * 1e6,
               "wall_us": line["wall_s"] / count * 1e6,
               "per_second": count / line["wall_s"] if line["wall_s"] > 0 else 0,
               "opened": line["opened"], "requests": count}
    if "peak_kib" in line:
        figures["peak_kib"] = line["peak_kib"]
    if "resident_before_kib" in line:
        figures["growth_kib"] = line["resident_kib"] - line["resident_before_kib"]
    if "latency_us" in line:
        figures.update({f"{part}_us": value for part, value in line["latency_us"].items()})
    return figures


def sizes(programs, libraries):
    """{name: {"bytes", "loads"}}: stripped, and the shared libraries that starting it loads."""
    result = {}
    for name, path in {**{n: programs[n] for n in ("ferry", "curl", "start-ferry", "start-curl")
                          if n in programs}, **libraries}.items():
        entry = {}
        with tempfile.TemporaryDirectory() as folder:
            copy = os.path.join(folder, "stripped")
            if subprocess.run(["strip", "-o", copy, path], check=False, capture_output=True).returncode == 0:
                entry["bytes"] = os.path.getsize(copy)
        loads = subprocess.run(["ldd", path], check=False, capture_output=True, text=True).stdout
        entry["loads"] = sorted(os.path.basename(line.split()[0]) for line in loads.splitlines()
                                if "=>" in line)
        result[name] = entry
    return result
