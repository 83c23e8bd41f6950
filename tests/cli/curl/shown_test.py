#!/usr/bin/env python3
"""What the command shows to somebody who looks: on a terminal progress, by -v each connection's
life, in a shell completions.

    shown_test.py FERRY

A pseudo-terminal stands for the person. Nothing is said about how long anything takes: bodies that
are to be seen on their way stay half sent until they have been."""

import fcntl
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import unittest

sys.dont_write_bytecode = True

import paths
from servers import Servers

FERRY = ""
PATIENCE = 30  # seconds; only ends what hangs


class Terminal:
    """Runs the command with standard error, or all three, on a pseudo-terminal."""

    def __init__(self, args, directory, everything=False, columns=100):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.text = ""
        self.process = subprocess.Popen(
            [FERRY, *args], cwd=directory, stdin=subprocess.DEVNULL, stderr=slave,
            stdout=slave if everything else subprocess.PIPE,
            env={**kept_environment(), "TERM": "xterm", "HOME": directory})
        os.close(slave)

    def read(self, seconds):
        """Whether more has come."""
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:  # the other side is closed, as Linux has it
            return False
        self.text += data.decode()
        return data != b""

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()
        os.close(self.master)

    def wait_for(self, pattern):
        until = time.monotonic() + PATIENCE
        while not re.search(pattern, self.text):
            if time.monotonic() > until or not self.read(1) and self.process.poll() is not None:
                raise AssertionError(f"{pattern} never came: {self.text!r}")

    def end(self):
        """All that is left to read; the exit status."""
        status = self.process.wait(PATIENCE)
        while self.read(0.2):
            pass
        return status


def kept_environment():
    return {name: value for name, value in os.environ.items()
            if name.endswith("SAN_OPTIONS") or name in ("PATH", "LD_LIBRARY_PATH")}


def run(args, directory, **more):
    return subprocess.run([FERRY, *args], cwd=directory, capture_output=True, text=True,
                          timeout=PATIENCE, check=False, **more,
                          env={**kept_environment(), "HOME": directory})


class Case(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="ferry-terminal-")
        self.servers = Servers(None, self.directory)
        self.go_on = threading.Event()
        paths.PATHS["half"] = self.half
        self.http = f"http://127.0.0.1:{self.servers.port('http')}"

    def tearDown(self):
        self.go_on.set()
        self.servers.stop()
        shutil.rmtree(self.directory)

    def terminal(self, *args, everything=False, columns=100):
        terminal = Terminal(args, self.directory, everything, columns)
        self.addCleanup(terminal.close)
        return terminal

    def half(self, x):
        """Half of a body, drop by drop more, and the rest once the test says so; /half/0 announces
        no length."""
        body = paths.pattern(40000)
        known = x.number(1, 1) != 0
        x.head(200, f"Content-Length: {len(body)}" if known else "Connection: close")
        x.send(body[:20000])
        sent = 20000
        while not self.go_on.wait(0.05) and sent < 20300:  # byte by byte: still half of it
            x.send(body[sent:sent + 1])
            sent += 1
        x.send(body[sent:])
        x.keep = False


class Progress(Case):
    def test_bar_for_a_file(self):
        terminal = self.terminal("-o", "out", self.http + "/half")
        terminal.wait_for(r"\[=+> +\] +50%")
        terminal.wait_for(r"19\.[5-9] KiB, .*/s")
        self.go_on.set()
        self.assertEqual(terminal.end(), 0)
        self.assertEqual(os.path.getsize(self.directory + "/out"), 40000)

    def test_length_unknown(self):
        terminal = self.terminal("-o", "out", self.http + "/half/0")
        terminal.wait_for(r"19\.[5-9] KiB, .*/s")
        self.go_on.set()
        self.assertEqual(terminal.end(), 0)
        self.assertNotIn("%", terminal.text)

    def test_only_the_bar(self):
        terminal = self.terminal("-#", "-o", "out", self.http + "/half")
        terminal.wait_for(r"\[=+> +\] +50%")
        self.go_on.set()
        self.assertEqual(terminal.end(), 0)
        self.assertNotIn("/s", terminal.text)

    def test_a_line_for_each_of_several(self):
        terminal = self.terminal("-Z", "-o", "first", self.http + "/half/1", "-o", "second",
                                 self.http + "/half/2")
        terminal.wait_for(r"first +\[=+> +\] +50%[^\n]*\n[^\n]*second +\[=+> +\] +50%")
        self.go_on.set()
        self.assertEqual(terminal.end(), 0)

    def test_no_line_is_longer_than_the_window(self):
        for columns in (1, 12, 60):
            with self.subTest(columns=columns):
                self.go_on.clear()
                terminal = self.terminal("-Z", "-o", "first", self.http + "/half/1", "-o", "second",
                                         self.http + "/half/2", columns=columns)
                terminal.wait_for("\033\\[2A")
                self.go_on.set()
                self.assertEqual(terminal.end(), 0)
                drawn = re.sub("\033\\[[0-9]*[A-Z]", "", terminal.text)
                longest = max(len(line) for line in re.split("[\r\n]+", drawn))
                self.assertLess(longest, columns)

    def shows_nothing(self, args, everything=False):
        terminal = self.terminal(*args, self.http + "/half", everything=everything)
        deadline = time.monotonic() + PATIENCE
        while not self.servers.connections and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(1)  # longer than a bar takes to show itself
        self.go_on.set()
        return terminal

    def test_none_with_s(self):
        terminal = self.shows_nothing(["-s", "-o", "out"])
        self.assertEqual(terminal.end(), 0)
        self.assertEqual(terminal.text, "")

    def test_none_with_no_progress_meter(self):
        terminal = self.shows_nothing(["--no-progress-meter", "-o", "out"])
        self.assertEqual(terminal.end(), 0)
        self.assertEqual(terminal.text, "")

    def test_none_among_the_body(self):
        terminal = self.shows_nothing([], everything=True)
        terminal.wait_for("0039992")
        self.assertEqual(terminal.end(), 0)
        self.assertNotIn("[", terminal.text)

    def test_none_when_piped(self):
        self.go_on.set()
        done = run(["-o", "out", self.http + "/half"], self.directory)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


class Verbose(Case):
    def test_a_connection_used_again(self):
        done = run(["-v", self.http + "/hello", self.http + "/json"], self.directory)
        self.assertEqual(done.returncode, 0)
        said = [line for line in done.stderr.splitlines() if line.startswith("* ")]
        text = "\n".join(said)
        number = re.search(r"goes over connection (\d+), which is new: 127\.0\.0\.1:\d+ to "
                           r"127\.0\.0\.1:\d+", text).group(1)
        self.assertIn(f"goes over connection {number}, used before (1 request):", text)
        kept = re.findall(f"connection {number} .*kept|kept.*connection {number}", text)
        self.assertEqual(len(kept), 2, text)
        self.assertIn("> GET /hello HTTP/1.1", done.stderr)
        self.assertIn("< HTTP/1.1 200 OK", done.stderr)

    def test_why_a_connection_was_not_kept(self):
        done = run(["-v", self.http + "/closing", self.http + "/hello"], self.directory)
        self.assertRegex(done.stderr, r"\* .*not kept.*asked for")
        self.assertEqual(len(re.findall(r"which is new", done.stderr)), 2)

    def test_redirects_and_interim_heads(self):
        done = run(["-v", "-L", self.http + "/redirect/302/hints"], self.directory)
        heads = re.findall(r"^< (HTTP/.*?)\r?$", done.stderr, re.M)
        self.assertEqual(heads, ["HTTP/1.1 302 Found", "HTTP/1.1 103 Early Hints",
                                 "HTTP/1.1 200 OK"])

    def test_a_tunnel(self):
        proxy = f"127.0.0.1:{self.servers.port('proxy')}"
        done = run(["-v", "-p", "-x", proxy, self.http + "/hello"], self.directory)
        self.assertRegex(done.stderr, r"> CONNECT 127\.0\.0\.1:\d+ HTTP/1\.1")
        self.assertIn("< HTTP/1.1 200 Connection established", done.stderr)

    def test_a_failure_says_what_to_do(self):
        done = run([f"http://127.0.0.1:{self.servers.port('dead')}/"], self.directory)
        self.assertEqual(done.returncode, 7)
        self.assertRegex(done.stderr, r"^ferry: \(7\) .*connection refused")


    def test_a_challenge_whose_body_stays_away(self):
        """Its connection's fate is told when the request is long over."""
        gone = threading.Event()

        def late(x):
            if (x.request.get("Authorization") or "").startswith("Digest "):
                x.answer(200, "welcome\n")
                return
            x.head(401, 'WWW-Authenticate: Digest realm="here", qop="auth", nonce="0123"',
                   "Content-Length: 100000")
            x.wire.wait_for_end()
            gone.set()
            x.keep = False

        def after(x):
            gone.wait(PATIENCE)
            x.answer(200, "after\n")

        paths.PATHS.update(late=late, after=after)
        done = run(["-sv", "--digest", "-u", "user:secret", self.http + "/late",
                    self.http + "/after"], self.directory)
        self.assertEqual((done.returncode, done.stdout), (0, "welcome\nafter\n"), done.stderr)
        self.assertIn("* one of its connections: the body was closed before its end", done.stderr)


class Nobody(Case):
    """Nobody listens: standard places are closed, or full."""

    def test_what_is_closed_is_not_the_server(self):
        subprocess.run(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", FERRY, "-v",
                        self.http + "/hello"], cwd=self.directory, timeout=PATIENCE, check=False,
                       env={**kept_environment(), "HOME": self.directory})
        self.servers.stop()
        received = [connection.wire.received for connection in self.servers.connections]
        self.assertEqual(len(received), 1)
        self.assertRegex(received[0], rb"^GET /hello HTTP/1\.1\r\n(?:[^\r\n]+\r\n)*\r\n$")

    def fails_on_a_full_disk(self, *args):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([FERRY, *args], cwd=self.directory, stdout=full,
                                  stderr=subprocess.PIPE, text=True, timeout=PATIENCE, check=False,
                                  env={**kept_environment(), "HOME": self.directory})
        self.assertEqual(done.returncode, 23)
        self.assertRegex(done.stderr, r"^ferry: \(23\) cannot write to (standard output|/dev/full): ")

    def test_a_full_disk(self):
        for args in (["-w", "%{http_code}"], ["-D", "-"], ["-D", "/dev/full"], ["-c", "-"]):
            with self.subTest(args=args):
                self.fails_on_a_full_disk("-o", "out", *args, self.http + "/cookie?a=b")
        self.fails_on_a_full_disk("--help")
        self.fails_on_a_full_disk("help", "output")
        self.fails_on_a_full_disk("completion", "bash")


class Completions(Case):
    def script(self, shell):
        done = run(["completion", shell], self.directory)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_bash(self):
        question = (self.script("bash") + "\nCOMP_WORDS=(ferry --max-); COMP_CWORD=1; _ferry; "
                    "echo \"${COMPREPLY[*]}\"\nCOMP_WORDS=(ferry l); _ferry; "
                    "echo \"${COMPREPLY[*]}\"\n")
        done = subprocess.run(["bash", "-c", question], capture_output=True, text=True, check=False,
                              timeout=PATIENCE)
        self.assertEqual(done.stderr, "")
        flags, commands = done.stdout.splitlines()
        self.assertEqual(sorted(flags.split()), ["--max-filesize", "--max-redirs", "--max-time"])
        self.assertIn("lab", commands.split())

    def test_bash_completes_files(self):
        with open(self.directory + "/certificate.pem", "w", encoding="ascii"):
            pass
        question = (self.script("bash") + "\nCOMP_WORDS=(ferry --cacert cert); COMP_CWORD=2; "
                    "_ferry; echo \"${COMPREPLY[*]}\"\n")
        done = subprocess.run(["bash", "-c", question], capture_output=True, text=True, check=False,
                              timeout=PATIENCE, cwd=self.directory)
        self.assertEqual(done.stdout, "certificate.pem\n")

    def parses(self, shell, args):
        script = self.script(shell)
        self.assertIn("max-time", script)
        if not shutil.which(shell):
            self.skipTest(f"there is no {shell}")
        done = subprocess.run([shell, *args], input=script, capture_output=True, text=True,
                              timeout=PATIENCE, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_zsh(self):
        self.parses("zsh", ["-n", "/dev/stdin"])

    def test_fish(self):
        self.parses("fish", ["--no-execute"])

    def test_another_shell(self):
        done = run(["completion", "tcsh"], self.directory)
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, "bash.*zsh.*fish")


if __name__ == "__main__":
    FERRY = os.path.abspath(sys.argv.pop(1))
    unittest.main()
