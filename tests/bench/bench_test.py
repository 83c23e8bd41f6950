#!/usr/bin/env python3
"""bench_test.py BUILD: each contender does each thing that it is there for, a few times, and tells so in
the one line of JSON; and bench/run.py makes a result of such lines. Nothing here looks at durations."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "bench"))

import report  # noqa: E402: found by the line above
import run  # noqa: E402
import runs  # noqa: E402
import server  # noqa: E402
import workloads  # noqa: E402

BUILD = sys.argv.pop(1)
PATH = os.environ.get("PATH", "") + ":/usr/sbin"
CONTENDERS = ("blocking", "epoll", "ferry-calls", "ferry-tasks", "curl-easy", "curl-multi")
KEEPERS = (*CONTENDERS, "least")  # of connections: that one does nothing else
IDLERS = ("blocking", "ferry-calls", "ferry-tasks", "curl-multi")
GO = "go-http"  # there after `make bench`, if Go is
FIELDS = {"contender", "connections", "wall_s", "user_s", "system_s", "opened", "resident_before_kib",
          "resident_kib", "peak_kib"}
REQUESTS, CONNECTIONS = 20, 3
# The most connections that are opened when they are kept; Go dials more than it turns out to need.
KEPT = {**dict.fromkeys(KEEPERS, CONNECTIONS), GO: REQUESTS - 1}
UPLOADED = 200_000  # more than goes out from memory


def refuse(message):
    raise AssertionError(message)


def program(name):
    return os.path.join(BUILD, "bench", name)


def here(names):
    return [name for name in (*names, GO) if os.access(program(name), os.X_OK)]


class Contenders(unittest.TestCase):
    maxDiff = None
    @classmethod
    def setUpClass(cls):
        cls.nginx = server.Nginx(200, 1024, refuse, large=False).__enter__()
        with open(cls.nginx.place("upload"), "wb") as file:
            file.write(b"u" * UPLOADED)

    @classmethod
    def tearDownClass(cls):
        cls.nginx.__exit__()

    def call(self, name, *arguments):
        port = self.nginx.tls_port if "--https" in arguments else self.nginx.port
        return subprocess.run([program(name), "--port", str(port), *arguments], capture_output=True,
                              text=True, check=False, timeout=60, cwd=self.nginx.directory)

    def line(self, name, *arguments):
        done = self.call(name, *arguments)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout.count("\n"), 1)
        line = json.loads(done.stdout)
        self.assertLessEqual(FIELDS, set(line))
        self.assertGreater(line["peak_kib"], 0)
        return line

    def requests(self, name, *arguments, path="/1k", body=1024, connections=CONNECTIONS):
        line = self.line(name, "--path", path, "--bytes", str(body), "--connections", str(connections),
                         "--requests", str(REQUESTS), "--seconds", "60", *arguments)
        self.assertEqual(line["requests"], REQUESTS)
        self.assertEqual(line["connections"], connections)
        self.assertGreater(line["wall_s"], 0)
        return line

    def test_kept_connections(self):
        for name in here(KEEPERS):
            with self.subTest(name):
                line = self.requests(name, "--warm", "10")
                self.assertEqual(line["bytes"], REQUESTS * 1024)
                self.assertLessEqual(line["opened"], KEPT[name])

    def test_one_connection(self):
        for name in here(KEEPERS):
            with self.subTest(name):
                self.assertEqual(self.requests(name, connections=1)["opened"], 1)

    def test_new_connections(self):
        for name in here(CONTENDERS):
            with self.subTest(name):
                line = self.requests(name, "--close", "--addresses", "2")
                self.assertGreaterEqual(line["opened"], REQUESTS)

    def test_https(self):
        for name in here(KEEPERS):
            with self.subTest(name):
                line = self.requests(name, "--https", "--ca", "ca.pem")
                self.assertLessEqual(line["opened"], KEPT[name])

    def test_handshakes_full_and_resumed(self):
        for name in here(CONTENDERS):
            with self.subTest(name):
                new = ("--https", "--ca", "ca.pem", "--close")
                line = self.requests(name, *new, "--no-resume", path="/handshake", body=server.FULL)
                self.assertGreaterEqual(line["opened"], REQUESTS)
                # The first is full whatever is wished, the second brings another body than that.
                done = self.call(name, *new, "--path", "/handshake", "--bytes", str(server.FULL))
                self.assertIn(f"a body of {server.RESUMED} bytes, not {server.FULL}", done.stderr)
                self.assertEqual(self.requests(name, *new)["requests"], REQUESTS)

    def test_unknown_authority_is_refused(self):
        self.nginx.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                           "-nodes", "-keyout", "other.key", "-out", "other.pem", "-days", "2", "-subj",
                           "/CN=other")
        for name in here(KEEPERS):
            with self.subTest(name):
                done = self.call(name, "--https", "--ca", "other.pem", "--path", "/1k")
                self.assertEqual((done.returncode, done.stdout), (1, ""))

    def test_uploads(self):
        for name in here(CONTENDERS):
            with self.subTest(name):
                self.requests(name, "--upload", "root/1k", path="/upload", body=server.UPLOADED)
        for name in here(("blocking", "ferry-calls", "ferry-tasks", "curl-easy", "curl-multi")):
            with self.subTest(name):
                for tls in ((), ("--https", "--ca", "ca.pem")):
                    line = self.requests(name, "--upload", "upload", *tls, path="/upload",
                                         body=server.UPLOADED)
                    self.assertEqual(line["bytes"], REQUESTS * (UPLOADED + server.UPLOADED))

    def test_to_a_file(self):
        saved = self.nginx.place("saved")
        ways = [(name, ()) for name in ("blocking", "ferry-calls", "curl-easy", GO)]
        for name, how in (*ways, ("blocking", ("--splice",))):
            if name not in here(CONTENDERS):
                continue
            with self.subTest(name, how=how):
                self.requests(name, "--save", saved, "--buffer", "4096", *how, path="/large",
                              body=server.LARGE_BYTES, connections=1)
                with open(saved, "rb") as got, open(self.nginx.place("root/large"), "rb") as sent:
                    self.assertEqual(got.read(), sent.read())
                os.unlink(saved)

    def test_idle_connections(self):
        for name in here(IDLERS):
            with self.subTest(name):
                for tls in ((), ("--https", "--ca", "ca.pem")):
                    line = self.line(name, "--path", "/1k", "--connections", "10", "--idle", "0.01", *tls)
                    self.assertGreater(line["resident_later_kib"], 0)
                    self.assertGreater(line["resident_trimmed_kib"], 0)

    def test_measured_from_the_beginning(self):
        for name in here(KEEPERS):
            with self.subTest(name):
                self.requests(name, "--cold", connections=1)

    def test_latencies(self):
        for name in here(KEEPERS):
            if name == GO:
                continue
            with self.subTest(name):
                latency = self.requests(name, "--latency")["latency_us"]
                self.assertGreater(latency["p50"], 0)
                self.assertLessEqual(latency["p50"], latency["p99"])

    def test_what_is_not_as_expected_is_an_error(self):
        for name in here(KEEPERS):
            with self.subTest(name):
                for path, size in (("/1k", "1000"), ("/missing", "1024")):
                    done = self.call(name, "--path", path, "--bytes", size)
                    self.assertEqual((done.returncode, done.stdout), (1, ""))
                    self.assertIn("bench: ", done.stderr)

    def test_arguments_that_are_none(self):
        for name in here(KEEPERS):
            if name == GO:
                continue
            for arguments in (["--whatever"], ["--requests"], ["--requests", "few"], ["--connections", "0"]):
                self.assertEqual(self.call(name, *arguments).returncode, 1)


class Runner(unittest.TestCase):
    def test_a_run(self):
        with tempfile.TemporaryDirectory() as folder:
            out = os.path.join(folder, "result.json")
            done = subprocess.run(
                [sys.executable, os.path.join(TOP, "bench", "run.py"), BUILD, "--work", "get-1,new-64,size",
                 "--rounds", "2", "--seconds", "0.02", "--out", out, "--charts", folder],
                capture_output=True, text=True, check=False, timeout=120)
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(out, encoding="utf-8") as file:
                text = file.read()
        document = json.loads(text)
        self.assertNotIn(TOP, text)
        self.assertEqual([w["name"] for w in document["workloads"]], ["get-1", "new-64"])
        rows = {c["key"]: c for c in document["workloads"][0]["contenders"]}
        self.assertEqual(rows["blocking"]["cpu_us"]["ratio"], 1)
        self.assertEqual(rows["ferry-calls"]["rounds"], 2)
        targets = {(t["workload"], t["ours"], t["against"]): t for t in document["targets"]}
        target = targets["new-64", "ferry-tasks", "epoll"]
        self.assertEqual(target["verdict"] == "met", target["is"] <= target["wanted"])
        self.assertIsNone(target["by_hand"])
        self.assertGreater(targets["get-1", "ferry-calls", "blocking"]["by_hand"], 0)
        self.assertIn("ferry, plain calls", done.stdout)

    def test_a_round_is_taken_in_turns(self):
        class Recorder:
            ran = []

            def has(self, _, contender):
                return contender.key != "b"

            def run(self, workload, contender):
                self.ran.append((contender.key, workload.seconds))
                return {"cpu_us": len(self.ran), "requests": 10, "opened": 1, "peak_kib": 9 - len(self.ran)}

        contenders = [workloads.Contender(key, program, key, ()) for key, program in
                      (("a", "a"), ("b", "b"), ("c", "c"), ("d", "wrk"))]
        workload = workloads.Workload("w", "", tuple(contenders), (), seconds=0.6, turns=3)
        results = {}
        run.take_turns(workload, Recorder(), results)
        order = [key for key, _ in Recorder.ran]
        turns = [sorted(order[begin:end]) for begin, end in ((0, 3), (3, 5), (5, 7))]
        self.assertEqual(turns, [["a", "c", "d"], ["a", "c"], ["a", "c"]])
        for _, seconds in Recorder.ran:
            self.assertAlmostEqual(seconds, 0.2)
        self.assertEqual(set(results), {"a", "c", "d"})
        for key, of_rounds in results.items():
            when = [number for number, ran in enumerate(order, 1) if ran == key]
            self.assertEqual(of_rounds, [{"cpu_us": sum(when) / len(when), "requests": 10 * len(when),
                                          "opened": 1, "peak_kib": 9 - when[0]}])

    def test_what_a_client_by_hand_misses_is_told(self):
        def rows(ours, by_hand, peer):
            figures = {"ferry-tasks": ours, "epoll": by_hand, "curl-multi": peer}
            return {"get-64": {key: {"cpu_us": report.summary([value])} for key, value in figures.items()}}

        workload = next(w for w in workloads.all_workloads(1000, 1000) if w.name == "get-64")
        target = workloads.Target("ferry-tasks", "cpu_us", "curl-multi", 1 / 3)
        for by_hand, verdict in ((2, "met"), (3, "missed"), (4, "missed by hand too")):
            judged = report.judge_one(workload, target, rows(by_hand + 1, by_hand, 10))
            self.assertEqual((judged["verdict"], judged["by_hand"]), (verdict, by_hand / 10))

    def test_against_the_loop_by_hand_it_is_the_least_client(self):
        figures = {"ferry-tasks": 14, "epoll": 10, "least": 11}
        rows = {"get-64": {key: {"cpu_us": report.summary([value])} for key, value in figures.items()}}
        workload = next(w for w in workloads.all_workloads(1000, 1000) if w.name == "get-64")
        target = workloads.Target("ferry-tasks", "cpu_us", "epoll", 1.25)
        judged = report.judge_one(workload, target, rows)
        self.assertEqual((judged["verdict"], judged["by_hand"]), ("missed", 1.1))

    def test_no_such_workload(self):
        done = subprocess.run([sys.executable, os.path.join(TOP, "bench", "run.py"), BUILD, "--work", "no"],
                              capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn("get-64", done.stderr)


if __name__ == "__main__":
    if shutil.which("nginx", path=PATH) is None or shutil.which("openssl") is None:
        print("no nginx, or no openssl, here")
        sys.exit(77)
    unittest.main()
