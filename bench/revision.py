"""Another revision of ferry, built beside this one with the contenders of today."""

import os
import shutil
import subprocess
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Base:
    """programs: {"ferry-tasks@base": path, ...}, there as long as the block is."""

    def __init__(self, revision, fail, say):
        self.revision = revision
        self.fail = fail
        self.say = say
        self.folder = None

    def command(self, *words):
        done = subprocess.run(words, cwd=TOP, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            self.fail(f"{' '.join(words)}: {(done.stdout + done.stderr).strip()[-2000:]}")
        return done.stdout.strip()

    def __enter__(self):
        commit = self.command("git", "rev-parse", "--verify", self.revision + "^{commit}")
        self.say(f"building {self.revision} ({commit[:12]})")
        self.folder = tempfile.mkdtemp(prefix="ferry-base-")
        try:
            return self.build(commit)
        except BaseException:
            self.__exit__()
            raise

    def build(self, commit):
        tree, build = os.path.join(self.folder, "tree"), os.path.join(self.folder, "build")
        self.command("git", "worktree", "add", "--detach", tree, commit)
        shutil.rmtree(os.path.join(tree, "bench"), ignore_errors=True)
        shutil.copytree(os.path.join(TOP, "bench"), os.path.join(tree, "bench"))
        off = [f"-DFERRY_BUILD_{what}=OFF" for what in ("CLI", "TESTS", "EXAMPLES", "INSPECT", "FUZZERS")]
        self.command("cmake", "-S", tree, "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=RelWithDebInfo",
                     "-DFERRY_BUILD_BENCH=ON", *off)
        names = ("ferry-tasks", "ferry-calls")
        self.command("cmake", "--build", build, "--target", *[f"bench-{name}" for name in names])
        self.programs = {f"{name}@base": os.path.join(build, "bench", name) for name in names}
        return self

    def __exit__(self, *_):
        tree = os.path.join(self.folder, "tree")
        if os.path.exists(tree):
            subprocess.run(["git", "worktree", "remove", "--force", tree], cwd=TOP, check=False,
                           capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)
