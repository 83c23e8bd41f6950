"""A headless Chromium, driven over its DevTools pipe with nothing but Python's own library."""

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time

PATIENCE_S = 60  # only ends what hangs


def find_chromium():
    for name in ("chromium", "chromium-browser", "google-chrome", "chromium-headless-shell"):
        path = shutil.which(name)
        if path:
            return path
    return None


class CannotStart(Exception):
    """The browser that is installed does not run here at all; the message is its own last words."""


class Browser:
    """One page. `evaluate` runs JavaScript in it, `wait` asks until the answer is true."""

    def __init__(self, program):
        self.profile = tempfile.mkdtemp(prefix="ferry-browser-")
        to_read, self.to_write = os.pipe()
        self.to_hear, to_say = os.pipe()

        # Chromium reads commands from descriptor 3 and writes its answers to 4.
        self.said = tempfile.TemporaryFile()
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in (to_read, to_say)]
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$0" "$@" 3<&{high[0]} 4>&{high[1]}', program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--no-first-run", "--disable-background-networking", "--disable-extensions",
             "--hide-scrollbars", "--no-proxy-server",
             "--remote-debugging-pipe", "--user-data-dir=" + self.profile, "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.said,
            pass_fds=high, start_new_session=True)
        for fd in (to_read, to_say, *high):
            os.close(fd)
        self.pending = b""
        self.number = 0
        self.session = None
        self.complaints = []  # what the console and the page's errors said
        self.greet()
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(domain + ".enable")

    def greet(self):
        """Whatever fails after this is a failure of the page, or of the test."""
        try:
            self.call("Browser.getVersion")
        except (RuntimeError, BrokenPipeError) as error:
            self.close()
            raise CannotStart(self.last_words) from error

    def close(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.said.seek(0)
        self.last_words = " ".join(self.said.read().decode(errors="replace").split())[-400:]
        self.said.close()
        for fd in (self.to_write, self.to_hear):
            os.close(fd)
        shutil.rmtree(self.profile, ignore_errors=True)

    def hear(self):
        deadline = time.monotonic() + PATIENCE_S
        while b"\0" not in self.pending:
            ready, _, _ = select.select([self.to_hear], [], [], max(0, deadline - time.monotonic()))
            more = os.read(self.to_hear, 1 << 20) if ready else b""
            if not more:
                raise RuntimeError("the browser has ended, or says nothing")
            self.pending += more
        message, self.pending = self.pending.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to_write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.hear()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            if answer.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown"):
                self.complaints.append(json.dumps(answer["params"]))

    def open(self, url):
        self.call("Page.navigate", url=url)

    def evaluate(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait(self, expression):
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                if self.evaluate(f"Boolean({expression})"):
                    return
            except RuntimeError:  # the page is not there yet
                pass
            if time.monotonic() > deadline:
                raise AssertionError(f"it never came true: {expression}\n"
                                     + str(self.evaluate("document.body.innerText")))
            time.sleep(0.05)

    def press(self, key, code, text=""):
        """A key of the keyboard, wherever the focus is."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key,
                      windowsVirtualKeyCode=code, text=text if kind == "keyDown" else "")

    def look(self, width, height, scheme, mobile=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=mobile)
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": scheme}])

    def screenshot(self, path):
        data = self.call("Page.captureScreenshot", format="webp", quality=60)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))
