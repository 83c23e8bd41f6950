#!/usr/bin/env python3
"""Runs each invocation of a table once by curl and once by ferry, against the same servers, and
compares what anybody could see: the requests on the wire, standard output, the exit code, the files
that were made.

    compare.py --ferry BUILD/cli/ferry [--only EXPRESSION] [--verbose] [--curl curl]

What differs on purpose is declared in the table, with the reason; a declared difference that is
none is a failure as well. Exit status 77: there is no curl, or a later one than the table knows, or
no openssl(1)."""

import argparse
import concurrent.futures
import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # the sources' folder stays as it is

import table
from certificates import Certificates
from servers import Servers
from wire import comparable

HERE = os.path.dirname(os.path.abspath(__file__))
TIME_LIMIT = 20
NEWEST = (8, 14)  # of the curls that the table has been compared with


class Outcome:
    """What one run came to, aspect by aspect: texts that can be compared."""

    def __init__(self):
        self.seen = {}
        self.stderr = ""


class Place:
    """A directory of its own for a run: HOME and working directory, and the row's files."""

    def __init__(self, row, certificates, parent):
        self.directory = tempfile.mkdtemp(dir=parent)
        self.row = row
        self.certificates = certificates
        self.servers = Servers(certificates, self.directory + ".servers")
        os.mkdir(self.servers.directory)
        os.mkdir(self.directory + ".home")

    def value_of(self, name):
        """What a {placeholder} stands for; starts servers."""
        certificates = self.certificates
        if name.startswith("https"):
            return f"https://localhost:{self.servers.port(name)}"
        if name == "http":
            return f"http://127.0.0.1:{self.servers.port('http')}"
        if name.startswith("port:"):
            return str(self.servers.port(name[5:]))
        if name.startswith("cert:"):
            return certificates.path(name[5:])
        known = {"dir": lambda: self.directory, "home": lambda: self.directory + ".home",
                 "unix": self.servers.unix, "pin": lambda: certificates.pin,
                 "abstract": lambda: self.servers.unix("\0ferry-test-%d-%s" % (
                     os.getpid(), os.path.basename(self.directory)))[1:],
                 "wrong-pin": lambda: certificates.wrong_pin}
        return known[name]()

    def fill(self, text):
        return re.sub(r"\{((?:https|http|port|cert|dir|home|unix|abstract|pin|wrong-pin)"
                      r"(?:[-:][A-Za-z0-9.-]+)*)\}", lambda found: self.value_of(found.group(1)),
                      text)

    def environment(self):
        kept = {name: value for name, value in os.environ.items()
                if name.endswith("SAN_OPTIONS") or name in ("PATH", "LD_LIBRARY_PATH")}
        own = {name: self.fill(value) for name, value in self.row.environment.items()}
        return {**kept, "HOME": self.directory + ".home", "LANG": "C.UTF-8", "TZ": "UTC", **own}

    def write_files(self):
        for name, text in self.row.files.items():
            name = self.fill(name)
            path = name if os.path.isabs(name) else os.path.join(self.directory, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(self.fill(text).encode("latin-1"))

    # ----------------------------------------------------------------- what can be compared

    def same(self, text):
        """Without what changes from run to run: ports, directories, times."""
        for name, port in self.servers.numbers.items():
            text = re.sub(rf"(?<![0-9]){port}(?![0-9])", name.upper() + "PORT", text)
        text = text.replace(self.directory, "DIR").replace(self.certificates.directory, "CERTS")
        text = re.sub(r"(?<![0-9.])\d+\.\d{6}(?![0-9])", "TIME", text)
        for pattern, replacement in self.row.normalise:
            text = pattern.sub(replacement, text)
        return text

    def same_file(self, name, data):
        text = data.decode("latin-1")
        if "cookie" in name:
            text = jar(text)
        if "hsts" in name:
            lines = [line for line in text.splitlines() if line and not line.startswith("#")]
            text = "\n".join(sorted(re.sub(r'"\d{8} [\d:]+"', '"DATE"', line) for line in lines))
        return self.same(text)

    def files(self):
        found = []
        for folder, folders, names in os.walk(self.directory):
            inside = os.path.relpath(folder, self.directory)
            found += [(os.path.join(inside, name) + "/", "") for name in folders]
            for name in names:
                path = os.path.join(folder, name)
                with open(path, "rb") as file:
                    data = file.read()
                about = ""
                if "mtime" in self.row.options:
                    about = f" of {int(os.stat(path).st_mtime)}"
                shown = os.path.join(inside, name)
                found.append((self.same(shown) + about, self.same_file(shown, data)))
        return "\n".join(f"== {name}\n{text}" for name, text in sorted(found))

    def requests(self):
        texts = []
        for connection in self.servers.connections:
            texts += [f"{connection.server}: {note}" for note in connection.notes]
            texts += [f"{connection.server}: {comparable(request)}"
                      for request in connection.requests]
        if "parallel" in self.row.options:
            texts.sort()
        return self.same("\n".join(texts))

    def connections(self):
        """How many requests went over each; one without any may be made or not."""
        if "parallel" in self.row.options:
            return ""
        return "\n".join(f"{connection.server}: {len(connection.requests)}"
                         for connection in self.servers.connections
                         if connection.requests or connection.notes)


def jar(text):
    """A cookie jar: comments and exact times aside."""
    lines = []
    for line in text.splitlines():
        fields = line.split("\t")
        if len(fields) != 7 or (line.startswith("#") and not line.startswith("#HttpOnly_")):
            continue
        if fields[4] != "0":
            left = int(fields[4]) - int(time.time())
            fields[4] = "EXPIRES" if left < 10 ** 9 else "FAR"
        lines.append("\t".join(fields))
    return "\n".join(sorted(lines)) + "\n"


def run_tool(tool, row, certificates, parent):
    place = Place(row, certificates, parent)
    outcome = Outcome()
    try:
        place.write_files()
        status = []
        done = None
        for args in row.before + [row.args]:
            try:
                done = subprocess.run([tool] + [place.fill(arg) for arg in args],
                                      cwd=place.directory, env=place.environment(),
                                      input=place.fill(row.stdin).encode("latin-1"),
                                      capture_output=True,
                                      timeout=TIME_LIMIT, check=False)
                status.append(str(done.returncode))
            except subprocess.TimeoutExpired:
                status.append("still running")
    finally:
        place.servers.stop()
    output = done.stdout.decode("latin-1") if done else ""
    outcome.stderr = place.same(done.stderr.decode("latin-1")) if done else ""
    quiet = any(arg == "--silent" or re.fullmatch(r"-[a-zA-Z]*s[a-zA-Z]*", arg)
                for arg in row.args) and "parallel" not in row.options
    if "parallel" in row.options:
        output = "".join(sorted(output.splitlines(True)))
    outcome.seen = {
        "exit": " ".join(status),
        "stdout": place.same(output),
        "stderr": ("says something" if outcome.stderr else "says nothing") if quiet else "",
        "files": place.files(),
        "requests": place.requests(),
        "connections": place.connections(),
    }
    return outcome


def show_difference(ours, theirs):
    return "".join(f"        {line}\n" for line in difflib.unified_diff(
        theirs.splitlines(), ours.splitlines(), "curl", "ferry", lineterm="", n=2))


def judge(row, curl, ferry):
    """Complaints, as a list of texts."""
    complaints = []
    if curl.seen["exit"].split(" ")[-1] != row.exit:
        complaints.append(f"    curl itself ended with {curl.seen['exit']}, and not {row.exit}\n")
    for aspect in table.ASPECTS:
        same = curl.seen[aspect] == ferry.seen[aspect]
        if not same and aspect not in row.differs:
            complaints.append(f"    {aspect} differs\n"
                              + show_difference(ferry.seen[aspect], curl.seen[aspect]))
        if same and aspect in row.differs:
            complaints.append(f"    {aspect} is declared to differ, and does not: "
                              f"{row.differs[aspect]}\n")
    if complaints and ferry.stderr:
        complaints.append("    ferry said: " + ferry.stderr.strip()[-600:] + "\n")
    if complaints and curl.stderr:
        complaints.append("    curl said: " + curl.stderr.strip()[-300:] + "\n")
    return complaints


def version_of(curl):
    text = subprocess.run([curl, "--version"], capture_output=True, check=True).stdout.decode()
    return tuple(int(part) for part in re.match(r"curl (\d+)\.(\d+)", text).groups())


def applies(row, version):
    if row.curl is None:
        return True
    operator, wanted = row.curl
    wanted = tuple(int(part) for part in wanted.split("."))
    return version >= wanted if operator == ">=" else version < wanted


def compare(row, tools, certificates, parent):
    try:
        curl = run_tool(tools.curl, row, certificates, parent)
        ferry = run_tool(tools.ferry, row, certificates, parent)
    except Exception as error:  # a mistake of the row's or of this program's: tell which row
        return row, [f"    {type(error).__name__}: {error}\n"], ""
    shown = ""
    if tools.verbose:
        shown = "".join(f"  {aspect}: {text}\n" for aspect, text in curl.seen.items())
    return row, judge(row, curl, ferry), shown


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ferry", required=True)
    parser.add_argument("--curl", default="curl")
    parser.add_argument("--only", default="")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 2))
    parser.add_argument("--table", default=os.path.join(HERE, "table"))
    tools = parser.parse_args()
    if not shutil.which(tools.curl) or not shutil.which("openssl"):
        print("there is no curl, or no openssl, to compare with")
        return 77
    tools.ferry = shutil.which(tools.ferry) or os.path.abspath(tools.ferry)
    version = version_of(tools.curl)
    if version > NEWEST:
        print(f"curl is {version[0]}.{version[1]}; the table tells of those up to {NEWEST[0]}.{NEWEST[1]}")
        return 77
    rows = [row for row in table.read(tools.table, version)
            if re.search(tools.only, f"{row.place} {row.name}") and applies(row, version)]
    failed = 0
    with tempfile.TemporaryDirectory(prefix="ferry-curl-") as parent:
        os.mkdir(os.path.join(parent, "certs"))
        certificates = Certificates(os.path.join(parent, "certs"))
        with concurrent.futures.ThreadPoolExecutor(tools.jobs) as pool:
            jobs = [pool.submit(compare, row, tools, certificates, parent) for row in rows]
            for job in jobs:
                row, complaints, shown = job.result()
                if complaints or shown:
                    print(f"{row.place}: [{row.name}]\n{shown}{''.join(complaints)}", end="")
                failed += bool(complaints)
    declared = sum(len(row.differs) for row in rows)
    print(f"{len(rows)} invocations compared, {failed} of them not as they should be; "
          f"{declared} differences declared")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
