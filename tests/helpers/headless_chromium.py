"""A headless Chromium over its debugging pipe: opens pages, and tells what they asked for, logged and moved."""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-extensions",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
AT_3_AND_4 = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Chromium reads its commands from file descriptor 3 and answers on 4."""
SHIFTS = """
window.shifted = 0;
new PerformanceObserver(list => { for (const one of list.getEntries()) window.shifted += one.value; })
  .observe({type: "layout-shift", buffered: true});
"""
FACTS = """
new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done([
  document.title,
  window.shifted,
  Math.max(0, document.documentElement.scrollWidth - window.innerWidth),
  [...document.images].filter(one => one.complete && !one.naturalWidth).map(one => one.src),
]))))
"""
"""After the next frame, so that what the last image moved is counted."""
SECONDS = 60
"""How long a page may take to load, and a command of the protocol to be answered."""


def find():
    """Where Chromium is, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@dataclass
class Visit:
    """What one page did. failed: (status, URL). shifted: cumulative layout shift. overflow: pixels too wide."""

    title: str = ""
    requested: list = field(default_factory=list)
    failed: list = field(default_factory=list)
    logged: list = field(default_factory=list)
    shifted: float = 0.0
    overflow: int = 0
    broken: list = field(default_factory=list)
    png: bytes = b""


class Tab:
    """An open page. visit: what it did so far."""

    def __init__(self, browser, session, visit):
        self._browser, self._session, self.visit = browser, session, visit

    def look(self):
        """The visit with what is seen now."""
        told = self.evaluate(FACTS)
        self.visit.title, self.visit.shifted, self.visit.overflow, self.visit.broken = told
        shot = self.call("Page.captureScreenshot", format="png")
        self.visit.png = base64.b64decode(shot["data"])
        return self._browser._noted(self._session, self.visit)

    def evaluate(self, expression):
        """The value of an expression, waited for where it is a promise."""
        told = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def wait(self, expression, seconds=20):
        """Until an expression is true; its value."""
        deadline = time.monotonic() + seconds
        while not (value := self.evaluate(expression)):
            assert time.monotonic() < deadline, f"still not true: {expression}"
            time.sleep(0.05)
        return value

    def point(self, kind, x, y, **more):
        """A mouse event at a place of the window: mouseMoved, mousePressed, mouseReleased, mouseWheel."""
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def click(self, x, y):
        self.point("mouseMoved", x, y)
        for kind in ("mousePressed", "mouseReleased"):
            self.point(kind, x, y, button="left", clickCount=1)

    def press(self, key, code=0):
        """A key by its name (`ArrowLeft`, `Enter`, `+`)."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code)

    def call(self, method, **params):
        """Any command of the debugging protocol."""
        return self._browser._call(method, self._session, **params)


class Browser:
    """One process; a tab for each visit."""

    def __init__(self, path, *flags):
        self._profile = tempfile.TemporaryDirectory(
            ignore_cleanup_errors=True
        )  # its children write on for a moment
        (read_here, write_there), (read_there, write_here) = os.pipe(), os.pipe()
        ends = [
            fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (read_there, write_there)
        ]  # not 3 or 4 themselves
        command = [path, *FLAGS, *flags, f"--user-data-dir={self._profile.name}"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", AT_3_AND_4, *map(str, ends), *command],
            pass_fds=ends,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in (read_there, write_there, *ends):
            os.close(end)
        self._out, self._in = (
            os.fdopen(write_here, "wb", buffering=0),
            os.fdopen(read_here, "rb", buffering=0),
        )
        self._pending, self._number, self._events = b"", 0, []

    def close(self):
        self._process.kill()
        self._process.wait()
        self._out.close()
        self._in.close()
        self._profile.cleanup()

    def visit(self, url, *, width=1440, height=1000, dark=False):
        """Opens a page, waits until all it asked for has come, and gives what it did."""
        with self.open(url, width=width, height=height, dark=dark) as tab:
            return tab.look()

    @contextmanager
    def open(self, url, *, width=1440, height=1000, dark=False, scripts=True):
        """A tab with a page that has all it asked for, to be used; one at a time."""
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable", session)
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self._call("Emulation.setDeviceMetricsOverride", session, **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", session, features=[scheme])
        self._call("Emulation.setScriptExecutionDisabled", session, value=not scripts)
        self._call("Page.addScriptToEvaluateOnNewDocument", session, source=SHIFTS)
        self._events.clear()
        self._call("Page.navigate", session, url=url)
        try:
            yield Tab(self, session, self._settled(session, Visit()))
        finally:
            self._call("Target.closeTarget", targetId=target)

    def _settled(self, session, visit):
        """Reads events until the page is loaded and no request is open. A closed page's last ones may come late."""
        open_requests, loaded, deadline = {}, False, time.monotonic() + SECONDS
        while not loaded or open_requests:
            event = self._events.pop(0) if self._events else self._receive(deadline)
            assert event, f"loaded: {loaded}; still waiting for {list(open_requests.values())}"
            if event.get("sessionId") == session:
                loaded = loaded or event["method"] == "Page.loadEventFired"
                self._note(event, visit, open_requests)
        return visit

    def _noted(self, session, visit):
        """Reads the events that have come already."""
        while self._events:
            event = self._events.pop(0)
            if event.get("sessionId") == session:
                self._note(event, visit, {})
        return visit

    def _note(self, event, visit, open_requests):
        kind, told = event.get("method"), event.get("params", {})
        if kind == "Network.requestWillBeSent":
            open_requests[told["requestId"]] = told["request"]["url"]
            visit.requested.append(told["request"]["url"])
        elif kind == "Network.responseReceived" and told["response"]["status"] >= 400:
            visit.failed.append((told["response"]["status"], told["response"]["url"]))
        elif kind in ("Network.loadingFinished", "Network.loadingFailed"):
            open_requests.pop(told["requestId"], None)
        elif kind == "Runtime.exceptionThrown" or (
            kind == "Runtime.consoleAPICalled" and told["type"] == "error"
        ):
            visit.logged.append(json.dumps(told)[:500])
        elif kind == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            visit.logged.append(told["entry"]["text"])

    def _call(self, method, session=None, **params):
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        self._out.write(json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + SECONDS
        while answer := self._receive(deadline):
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self._events.append(answer)
        raise AssertionError(f"Chromium did not answer {method} {str(params)[:200]}")

    def _receive(self, deadline):
        """The next message, or None where none came in time."""
        while b"\0" not in self._pending:
            if not select.select([self._in], [], [], max(0.0, deadline - time.monotonic()))[0]:
                return None
            piece = self._in.read(1 << 20)
            assert piece, "Chromium ended"
            self._pending += piece
        message, _, self._pending = self._pending.partition(b"\0")
        return json.loads(message)
