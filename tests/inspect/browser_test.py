"""The page as people see it, in a real browser: `ferry lab --serve` is started, and used.

    browser_test.py FERRY [FOLDER]

With a folder, the screenshots of docs/inspect.md are put there. Status 77: there is no Chromium, or it does
not start here.
"""

import http.server
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request

from browser import Browser, CannotStart, find_chromium


def check(what, condition):
    if not condition:
        raise AssertionError(what)
    print("ok:", what)


def text(browser, selector):
    return browser.evaluate(f"document.querySelector({selector!r}).innerText")


def run(browser, **choices):
    """Makes the choices in the form, and presses Run without a mouse: by the Enter key."""
    for name, value in choices.items():
        browser.evaluate(f"document.forms.experiment.elements[{name!r}].value = {value!r}")
    browser.wait("!document.getElementById('run').disabled")
    before = browser.evaluate("Number(document.getElementById('lab').dataset.runs)")
    browser.evaluate("document.getElementById('run').focus()")
    browser.press("Enter", 13, "\r")
    browser.wait(f"document.getElementById('lab').dataset.runs > {before}")
    browser.wait("document.getElementById('lab-reason').innerText !== ''")
    return int(text(browser, "#lab-tasks")), text(browser, "#lab-reason")


def lanes(browser, state):
    return browser.evaluate(f"document.querySelectorAll('.lane[data-state={state}]').length")


def the_puzzle(browser):
    tasks, reason = run(browser, pace="350")
    check("the puzzle: 3", tasks == 3)
    check("and why", "main + 2 loops for each of 1 connection." in reason and "5 reuses" in reason)
    browser.wait("document.querySelectorAll('#chips li').length === 3")
    chips = text(browser, "#chips")
    check("they are main and two loops",
          all(name in chips for name in ("main", "read loop", "write loop")))
    check("one lane, idle", lanes(browser, "idle") == 1 and lanes(browser, "unread") == 0)
    check("six lines of what happened",
          browser.evaluate("document.querySelectorAll('#lab-log li').length") == 6)


def the_leak(browser):
    tasks, reason = run(browser, read="none", close="no", pace="0")
    check("the leak: 13", tasks == 13)
    check("and why", "6 connections" in reason and "this is the leak" in reason)
    browser.wait("document.querySelectorAll('.lane[data-state=unread]').length === 6")
    check("what a loop waits for", "read loop: waiting for the body to be read" in text(browser, "#hosts"))
    browser.wait("document.querySelectorAll('.response.suspicious').length === 6")
    check("they stand below the line that opened them", "cli/lab_run.c:" in text(browser, ".site .place"))
    check("which the top of the page names, too", "cli/lab_run.c:" in text(browser, "#alarm"))
    check("and what they hold", "6 connections, 12 tasks" in text(browser, ".site"))
    check("the host's connections are summed up", "6 connections: 6 body unread" in text(browser, "#hosts"))
    check("the graphs have points", browser.evaluate(
        "[...document.querySelectorAll('#numbers .line')].every(path => path.getAttribute('d').length > 9)"))
    check("how long it took", browser.evaluate(
        "Number([...document.querySelectorAll('#times tr')][3].children[1].innerText) >= 12"))


def closing(browser):
    tasks, reason = run(browser, read="none", close="yes", drain="off", pace="0")
    check("closed early, discarded: 1", tasks == 1 and "main alone" in reason)
    browser.wait("document.getElementById('alarm').hidden")
    browser.wait("document.querySelectorAll('.lane[data-state=unread]').length === 0")
    tasks, _ = run(browser, read="all", close="no", hosts="2", pace="0")
    check("two hosts: 5", tasks == 5)
    browser.wait("document.querySelectorAll('.lane[data-state=idle]').length === 2")
    check("each host has its list", browser.evaluate("document.querySelectorAll('.host').length") >= 2)


def foreign_orders(url):
    """What another page could send: no secret, a guessed one, or the right one from elsewhere."""
    page = urllib.request.urlopen(url).read().decode()
    secret = page.split('name="ferry-run" content="')[1].split('"')[0]
    for what, headers, status in (
            ("no secret", {}, 403),
            ("a wrong secret", {"X-Ferry-Run": "0" * len(secret)}, 403),
            ("another origin", {"X-Ferry-Run": secret, "Origin": "http://evil.example"}, 403),
            ("another host", {"X-Ferry-Run": secret, "Host": "evil.example"}, 403),
            ("no choices", {"X-Ferry-Run": secret}, 400)):
        try:
            got = urllib.request.urlopen(urllib.request.Request(
                url + "run", headers=headers, method="POST")).status
        except urllib.error.HTTPError as refused:
            got = refused.code
        check(f"an order with {what}: {status}", got == status)


def keyboard(browser, url):
    """From the top of the page with the Tab key: to what lies below, to the choices, to Run."""
    browser.evaluate("document.getElementById('status').dataset.status = 'old'")
    browser.open(url)
    browser.wait("document.getElementById('status').dataset.status === 'live'")
    seen = []
    for _ in range(40):
        browser.press("Tab", 9)
        seen.append(browser.evaluate("document.activeElement.id || document.activeElement.name || "
                                     "document.activeElement.className || document.activeElement.tagName"))
        outline = browser.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        check(f"the focus is seen on {seen[-1]}", outline != "none")
        if seen[-1] == "run":
            break
    check("first there is a way past the rest", seen[0] == "skip")
    check("every choice is on the way", all(name in seen for name in
          ("pause", "num", "hosts", "body", "read", "close", "drain", "pace", "run")))
    before = browser.evaluate("Number(document.getElementById('lab').dataset.runs)")
    browser.press(" ", 32, " ")
    browser.wait(f"document.getElementById('lab').dataset.runs > {before}")
    check("Space has pressed Run", True)


# Of every text that is seen: its colour against the first background behind it (WCAG 2.2, 1.4.3).
CONTRAST = """(() => {
  const channels = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = node => {
    const colour = channels(getComputedStyle(node).backgroundColor);
    return colour.length === 3 || colour[3] > 0 ? colour : behind(node.parentElement);
  };
  const poor = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some(child => child.nodeType === 3 && child.textContent.trim());
    if (!own || !node.getClientRects().length || node.disabled || node.closest(".unseen, option")) continue;
    const text = light(channels(getComputedStyle(node).color)), ground = light(behind(node));
    const ratio = (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05);
    if (ratio < 4.5) poor.push(ratio.toFixed(2) + " " + node.outerHTML.slice(0, 80));
  }
  return poor.join("; ");
})()"""


def shape(browser):
    run(browser, read="none", close="no", num="3", hosts="1", pace="0")
    browser.wait("document.querySelectorAll('.response.suspicious').length === 3")
    for width, scheme in ((360, "light"), (360, "dark"), (1000, "light"), (1000, "dark")):
        browser.look(width, 800, scheme, mobile=width < 500)
        browser.wait(f"window.innerWidth === {width}")
        check(f"nothing sticks out at {width} pixels, {scheme}",
              browser.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))
        dark = browser.evaluate(
            "getComputedStyle(document.body).backgroundColor.match(/\\d+/g)[0] < 128")
        check("the colours are those asked for", dark == (scheme == "dark"))
        poor = browser.evaluate(CONTRAST)
        check("every text stands out: " + poor, not poor)
    check("every control has a name", browser.evaluate(
        "[...document.querySelectorAll('input, select, output')].every(e => e.labels.length || "
        "e.id === 'lab-tasks')"))
    check("landmarks", browser.evaluate(
        "['header', 'main', 'footer'].every(name => document.querySelectorAll(name).length === 1)"))
    browser.evaluate("document.getElementById('pause').focus()")
    browser.press("Enter", 13, "\r")
    browser.wait("document.getElementById('status').innerText === 'paused'")
    browser.press("Enter", 13, "\r")
    browser.wait("document.getElementById('status').innerText === 'live'")


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2000")
        self.end_headers()
        self.wfile.write(b"x" * 2000)

    def log_message(self, *args):
        pass


def picture_of_the_example(browser, program, path):
    """The page of examples/inspect.c, once it has forgotten two responses."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.handle_error = lambda *of: None  # the example ends with connections open
    threading.Thread(target=server.serve_forever, daemon=True).start()
    example = subprocess.Popen([program, f"http://127.0.0.1:{server.server_port}/a"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        browser.look(1000, 1170, "light")
        browser.open(example.stdout.readline())
        browser.wait("document.querySelectorAll('.response.suspicious').length === 2")
        browser.screenshot(path)
    finally:
        example.communicate(timeout=60)
        server.shutdown()


def pictures(browser, folder):
    browser.look(1000, 1280, "light")
    run(browser, read="all", close="no", num="6", hosts="1", pace="350")
    browser.screenshot(os.path.join(folder, "lab-light.webp"))
    browser.look(1000, 1500, "dark")
    run(browser, read="none", close="no", pace="350")
    browser.wait("document.querySelectorAll('.response.suspicious').length >= 4")
    browser.screenshot(os.path.join(folder, "lab-dark.webp"))
    browser.look(390, 1100, "light", mobile=True)
    browser.evaluate("document.getElementById('connections-title').scrollIntoView()")
    browser.wait("document.querySelectorAll('.response.suspicious').length === 6")
    browser.screenshot(os.path.join(folder, "phone.webp"))
    build = os.path.dirname(os.path.dirname(os.path.abspath(sys.argv[1])))
    picture_of_the_example(browser, os.path.join(build, "examples", "inspect"),
                           os.path.join(folder, "page.webp"))


def main():
    program = find_chromium()
    if program is None:
        print("skipped: there is no Chromium here")
        return 77
    ferry = subprocess.Popen([sys.argv[1], "lab", "--serve"], stdout=subprocess.PIPE, text=True)
    browser = None
    try:
        url = ferry.stdout.readline().split(" at ")[1].split()[0]
        try:
            browser = Browser(program)
        except CannotStart as reason:
            print(f"skipped: {program} does not start here: {reason}")
            return 77
        browser.look(1000, 1400, "light")
        browser.open(url)
        browser.wait("document.getElementById('status').innerText === 'live'")
        if len(sys.argv) > 2:
            pictures(browser, sys.argv[2])
            return 0
        the_puzzle(browser)
        the_leak(browser)
        closing(browser)
        foreign_orders(url)
        shape(browser)
        browser.look(1000, 1400, "light")
        keyboard(browser, url)
        check("nothing was complained of: " + " ".join(browser.complaints), not browser.complaints)
    finally:
        if browser is not None:
            browser.close()
        ferry.send_signal(signal.SIGTERM)
        status = ferry.wait(timeout=60)
    check("the command ends in peace", status == 0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
