"""Debian's Chromium, driven through the DevTools protocol on a pipe: no port, no driver program.

    with Browser() as browser:
        browser.open("http://127.0.0.1:5000/")
        browser.fill("User", "alice")
        browser.click("Sign in")
        browser.wait_for_text("Repositories")

Elements are found by what people see: the text of a link or button, the label of a field. Clicks
and keys are real input events, so an element that is covered or out of the window is not clicked.
Every wait is for a condition; TIMEOUT_S only ends a wait that hangs.
"""

import base64
import fcntl
import itertools
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import tempfile
import time

from harness import Skip, need

TIMEOUT_S = 240
POLL_S = 0.03
MESSAGE_END = b"\0"
FLAGS = ("--headless=new", "--window-size=1500,1000", "--no-sandbox", "--remote-debugging-pipe", "--no-first-run", "--mute-audio",
         "--no-default-browser-check", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--disable-extensions", "--disable-gpu", "--disable-dev-shm-usage",
         "--disable-features=Translate,MediaRouter,OptimizationHints", "--force-color-profile=srgb",
         "--hide-scrollbars", "--lang=en-US", "--no-proxy-server",
         "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost")

# Runs in each document before its scripts: it counts what the Content-Security-Policy refuses.
WATCH = """
window.violations = [];
document.addEventListener('securitypolicyviolation', (event) => {
  window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
});
"""

# Finds a visible element by the text or label that people see; null: any text. Arguments: selector, text, text of a row around it.
FIND = """
(selector, wanted, around) => {
  const clean = (text) => (text || '').replace(/\\s+/g, ' ').trim();
  const isVisible = (element) => {
    const box = element.getBoundingClientRect();
    const style = getComputedStyle(element);
    return box.width > 1 && box.height > 1 && style.visibility === 'visible' && !element.closest('[inert]');
  };
  const labelsOf = (element) => [clean(element.innerText), ...[...(element.labels || [])]
    .map((label) => clean(label.innerText))];
  const place = document.querySelector('dialog[open]') || document;
  const found = [...place.querySelectorAll(selector)].filter((element) => isVisible(element)
    && (wanted === null || labelsOf(element).some((label) => label === wanted))
    && (!around || clean((element.closest('tr, li, section, .copyable') || {}).innerText).includes(around)));
  const inner = found.filter((one) => !found.some((other) => other !== one && one.contains(other)));
  return inner.length === 1 ? inner[0] : null;
}
"""
# Where to click the element that FIND finds; null if there is none, or if something covers it.
MIDDLE = """
(find, ...what) => {
  const element = find(...what);
  if (!element) return null;
  element.scrollIntoView({block: 'center', behavior: 'instant'});
  const box = element.getClientRects()[0];
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  return element.contains(document.elementFromPoint(x, y)) ? [x, y] : null;
}
"""
CLICKABLE = "a, button, summary, label, input[type=checkbox]"
FIELDS = "input, select, textarea"


class Connection:
    """Messages to and from the browser: JSON texts, each with a NUL byte at its end."""

    def __init__(self, to_browser, from_browser):
        self.to_browser, self.from_browser = to_browser, from_browser
        self.received, self.numbers, self.events = b"", itertools.count(1), []

    def call(self, method, parameters=None, session=None):
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": parameters or {}}
        if session:
            message["sessionId"] = session
        os.write(self.to_browser, json.dumps(message).encode() + MESSAGE_END)
        while True:
            answer = self.receive(method)
            if answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            if "method" in answer:
                self.events.append(answer)

    def receive(self, method):
        while MESSAGE_END not in self.received:
            is_ready = select.select([self.from_browser], [], [], TIMEOUT_S)[0]
            more = os.read(self.from_browser, 1 << 20) if is_ready else b""
            assert more, f"chromium does not answer {method}"
            self.received += more
        message, _, self.received = self.received.partition(MESSAGE_END)
        return json.loads(message)


def start_chromium(directory):
    """Returns the process and a Connection. Chromium reads commands from descriptor 3 and answers on 4."""
    program = need("chromium")
    (their_in, our_out), (our_in, their_out) = os.pipe(), os.pipe()

    def place_descriptors():
        high = [fcntl.fcntl(one, fcntl.F_DUPFD, 10) for one in (their_in, their_out)]
        for target, one in zip((3, 4), high):
            os.dup2(one, target)

    with open(directory / "log", "wb") as log:
        process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={directory / 'profile'}", "about:blank"], stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, pass_fds=(3, 4), preexec_fn=place_descriptors, start_new_session=True,
            env={"PATH": os.environ["PATH"], "HOME": str(directory), "LANG": "C.UTF-8", "TMPDIR": str(directory)})
    os.close(their_in)
    os.close(their_out)
    return process, Connection(our_out, our_in)


class Browser:
    """One window with one page."""

    def __init__(self, width=1440, height=900):
        self.width, self.height = width, height
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="browser.", dir="/tmp"))

    def __enter__(self):
        try:
            self.process, self.connection = start_chromium(self.directory)
            target = self.connection.call("Target.createTarget", {"url": "about:blank"})["targetId"]
            self.session = self.connection.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                self.call(f"{domain}.enable")
            self.call("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
            self.connection.call("Browser.grantPermissions", {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]})
            self.resize(self.width, self.height)
            self.look()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        process = getattr(self, "process", None)
        if process:
            try:  # the group is ours: the process is its leader
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
            os.close(self.connection.to_browser)
            os.close(self.connection.from_browser)
        shutil.rmtree(self.directory, ignore_errors=True)

    def call(self, method, parameters=None):
        return self.connection.call(method, parameters, self.session)

    # --- the window --------------------------------------------------------------------------

    def resize(self, width, height):
        self.width, self.height = width, height
        self.call("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 700})

    def look(self, is_dark=False, language="en-US"):
        """Sets what the page learns of its user."""
        self.call("Emulation.setEmulatedMedia", {"features": [
            {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce"}]})
        agent = self.connection.call("Browser.getVersion")["userAgent"]
        self.call("Emulation.setUserAgentOverride", {"userAgent": agent, "acceptLanguage": language})

    def open(self, address):
        """Opens an address; a change of the part after '#' alone does not load the page again."""
        self.call("Page.navigate", {"url": address})
        self.wait_until("document.readyState === 'complete'")

    def reload(self):
        """Loads the page again, and waits until it is complete."""
        self.evaluate("window.isOld = true")
        self.call("Page.reload")
        end = time.monotonic() + TIMEOUT_S
        while not self.is_new():
            assert time.monotonic() < end, "the page was not loaded again"
            time.sleep(POLL_S)

    def is_new(self):
        try:
            return self.evaluate("!window.isOld && document.readyState === 'complete'")
        except AssertionError:  # between two documents
            return False

    def go(self, place):
        """Changes the part of the address after '#', as a bookmark does, and waits for the view.

        The mark in the view of before goes when the new one is drawn.
        """
        self.run("""(place) => {
            const mark = document.createElement('i');
            mark.id = 'before';
            document.querySelector('main').append(mark);
            if (location.hash === place) window.dispatchEvent(new Event('hashchange'));
            else location.hash = place; }""", place)
        self.wait_until("!document.getElementById('before')")
        self.wait_until_idle()

    def wait_until_idle(self):
        self.wait_until("document.querySelector('main[aria-busy=false]')")

    def screenshot(self, path, is_whole=True):
        size = self.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
        clip = {"x": 0, "y": 0, "width": self.width, "height": min(size[1], 4000) if is_whole else self.height, "scale": 1}
        data = self.call("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})["data"]
        pathlib.Path(path).write_bytes(base64.b64decode(data))

    # --- scripts -------------------------------------------------------------------------------

    def evaluate(self, expression):
        """Returns the value of an expression; waits for a promise."""
        got = self.call("Runtime.evaluate", {"expression": expression, "returnByValue": True, "awaitPromise": True})
        assert "exceptionDetails" not in got, got["exceptionDetails"].get("exception", got)
        return got["result"].get("value")

    def run(self, function, *arguments):
        """Calls a function of JavaScript with these values."""
        return self.evaluate(f"({function})({', '.join(json.dumps(one) for one in arguments)})")

    def wait_until(self, condition):
        end = time.monotonic() + TIMEOUT_S
        while not self.evaluate(f"Boolean({condition})"):
            assert time.monotonic() < end, f"never true: {condition}; the page says: {self.text()!r}"
            time.sleep(POLL_S)

    def text(self):
        """What people can read."""
        return self.evaluate("document.body ? document.body.innerText : ''")

    def wait_for_clipboard(self, text):
        """Waits until this text has been copied."""
        end = time.monotonic() + TIMEOUT_S
        while (copied := self.evaluate("navigator.clipboard.readText()")) != text:
            assert time.monotonic() < end, f"{copied!r} was copied, not {text!r}"
            time.sleep(POLL_S)

    def wait_for_text(self, text):
        self.wait_until(f"document.body.innerText.includes({json.dumps(text)})")

    def violations(self):
        """What the Content-Security-Policy has refused in this document."""
        return self.evaluate("window.violations")

    def errors(self):
        """Exceptions and errors in the console, without answers of the server such as 401."""
        found = []
        self.evaluate("0")  # receives what has happened
        for event in self.connection.events:
            if event["method"] == "Runtime.exceptionThrown":
                found.append(str(event["params"]["exceptionDetails"]))
            elif event["method"] == "Runtime.consoleAPICalled" and event["params"]["type"] == "error":
                found.append(str(event["params"]["args"]))
            elif event["method"] == "Log.entryAdded" and event["params"]["entry"]["source"] == "security":
                found.append(event["params"]["entry"]["text"])
        return found

    # --- input, by what people see ---------------------------------------------------------------

    def point(self, selector, text, around=None):
        """Scrolls the one element with this text or label into view; returns its middle, once it has stopped moving."""
        arguments = ", ".join(json.dumps(one) for one in (selector, text, around))
        end = time.monotonic() + TIMEOUT_S
        before, now = None, self.evaluate(f"({MIDDLE})({FIND}, {arguments})")
        while now is None or now != before:
            assert time.monotonic() < end, f"no {text!r} near {around!r}; the page says: {self.text()!r}"
            time.sleep(POLL_S)
            before, now = now, self.evaluate(f"({MIDDLE})({FIND}, {arguments})")
        return now

    def press_mouse(self, x, y):
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1})

    def click(self, text, around=None):
        """Clicks the one visible link, button or checkbox with this text, in a row that contains another text."""
        self.press_mouse(*self.point(CLICKABLE, text, around))

    def tick(self, around):
        """Clicks the checkbox in the row that contains a text."""
        self.press_mouse(*self.point("input[type=checkbox]", None, around))

    def fill(self, label, value):
        """Types a value into the field with this label, in place of what it has."""
        self.press_mouse(*self.point(FIELDS, label))
        self.evaluate("document.activeElement.select && document.activeElement.select()")
        self.call("Input.insertText", {"text": value}) if value else self.key("Delete", 46)

    def choose(self, label, option):
        """Chooses an option of the list with this label. The list of options is no part of the page: a script sets it."""
        self.point(FIELDS, label)
        arguments = ", ".join(json.dumps(one) for one in (FIELDS, label, None))
        self.evaluate(f"""(() => {{
            const select = ({FIND})({arguments});
            const wanted = [...select.options].filter((one) => one.text === {json.dumps(option)});
            if (wanted.length !== 1) throw new Error('no such option');
            select.value = wanted[0].value;
            select.dispatchEvent(new Event('change', {{bubbles: true}})); }})()""")

    def key(self, name, code, modifiers=0):
        text = {"text": "\r"} if name == "Enter" else {}
        for kind in ("keyDown" if text else "rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", {"type": kind, "key": name, "code": name, "windowsVirtualKeyCode": code,
                                                 "modifiers": modifiers, **(text if kind == "keyDown" else {})})


def need_browser():
    """Skips where Chromium is missing."""
    need("chromium")


def axe_path():
    """Returns the file of axe-core (npm, MPL-2.0), which finds mistakes of accessibility; skips without it."""
    places = [os.environ.get("AXE_CORE"), "/usr/local/lib/node_modules/axe-core/axe.min.js",
              "/usr/lib/node_modules/axe-core/axe.min.js", "/usr/share/nodejs/axe-core/axe.min.js"]
    for place in places:
        if place and os.access(place, os.R_OK):
            return pathlib.Path(place)
    raise Skip("axe-core is not installed (npm install --global axe-core)")
