"""Reads the table of invocations: table/*.txt, whose form table/README.md describes."""

import os
import re
import shlex

ASPECTS = ("exit", "stdout", "stderr", "files", "requests", "connections")


class Row:
    """One invocation."""

    def __init__(self, name, place):
        self.name = name
        self.place = place
        self.args = []
        self.stdin = ""
        self.files = {}
        self.environment = {}
        self.differs = {}  # aspect: reason
        self.normalise = []  # (compiled expression, replacement)
        self.options = set()
        self.before = []  # arguments of an invocation that comes first
        self.exit = "0"  # curl's own
        self.curl = None  # (operator, version)


def unescape(text):
    return text.encode("latin-1", "backslashreplace").decode("unicode_escape")


def take(row, key, value, place):
    word, _, rest = key.partition(" ")
    if key == "args":
        row.args += shlex.split(value)
    elif key == "before":
        row.before.append(shlex.split(value))
    elif key == "stdin":
        row.stdin += unescape(value)
    elif word == "file":
        row.files[rest] = row.files.get(rest, "") + unescape(value)
    elif word == "env":
        row.environment[rest] = value
    elif word == "differs" and rest in ASPECTS:
        row.differs[rest] = value
    elif key == "normalise":
        pattern, _, replacement = value.partition(" => ")
        row.normalise.append((re.compile(pattern), replacement))
    elif key == "exit":
        row.exit = value
    elif key == "options":
        row.options |= set(value.split())
    elif key == "curl":
        row.curl = tuple(value.split())
    else:
        raise SystemExit(f"{place}: what is \"{key}\"?")


def counts(line, version):
    """The line without "since 8.8 " or "before 8.8 " in front of it; "" for another curl's."""
    found = re.match(r"(since|before) (\d+)\.(\d+) (.*)", line)
    if not found:
        return line
    bound = (int(found.group(2)), int(found.group(3)))
    return found.group(4) if (version >= bound) == (found.group(1) == "since") else ""


def read(directory, version):
    """The rows, as they are for this version of curl."""
    rows = []
    for name in sorted(os.listdir(directory)):
        if not name.endswith(".txt"):
            continue
        with open(os.path.join(directory, name), encoding="utf-8") as file:
            row = None
            for number, line in enumerate(file, 1):
                place = f"{name}:{number}"
                line = counts(line.rstrip("\n"), version)
                if not line.strip() or line.startswith("#"):
                    continue
                if line.startswith("["):
                    row = Row(line.strip("[]"), place)
                    rows.append(row)
                    continue
                key, colon, value = line.partition(":")
                if row is None or not colon:
                    raise SystemExit(f"{place}: neither [name] nor key: value")
                take(row, key.strip(), value[1:] if value.startswith(" ") else value, place)
    names = [row.name for row in rows]
    for name in names:
        if names.count(name) > 1:
            raise SystemExit(f"two rows are called {name}")
    return rows
