"""A headless Chromium, driven over a pipe by its DevTools protocol, for tests that look at a page."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
SECONDS_TO_ANSWER = 120
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
)


def all_of(selector: str) -> str:
    """The JavaScript array of the page's elements that a selector names."""
    return f"[...document.querySelectorAll('{selector}')]"


@dataclass
class Page:
    """The one page of a browser. `events`: what it reported so far, ``{method, params}``."""

    write_to: int
    read_from: int
    session: str | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    count: int = 0
    pending: bytes = b""

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and wait for its result."""
        self.count += 1
        message = {"id": self.count, "method": method, "params": params}
        named = {"sessionId": self.session} if self.session else {}
        os.write(self.write_to, json.dumps({**message, **named}).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self.count:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page, awaited where it is a promise."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def show(
        self, url: str, width: int = 1200, height: int = 1600, scheme: str = "light", waiting: bool = True
    ) -> None:
        """Open a page in a window of that size and colour scheme; with `waiting` until its rows are there."""
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        features = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        # What counts is what the new page reports; one that differs by its hash alone would not load anew.
        self.call("Page.navigate", url="about:blank")
        self.events.clear()
        self.call("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete' && location.protocol !== 'about:'")
        if waiting:
            self.wait_for("document.getElementById('browser') && !document.getElementById('browser').hidden")

    def wait_for(self, condition: str) -> None:
        """Wait until an expression of the page is true."""
        end = time.monotonic() + SECONDS_TO_ANSWER
        while not self.evaluate(f"Boolean({condition})"):
            assert time.monotonic() < end, f"never came true: {condition}"
            time.sleep(0.05)

    def press(self, key: str, code: int, text: str = "") -> None:
        """Press and release a key, as a keyboard would."""
        named = {"key": key, "code": key, "windowsVirtualKeyCode": code, "text": text}
        self.call("Input.dispatchKeyEvent", type="keyDown", **named)
        self.call("Input.dispatchKeyEvent", type="keyUp", **named)

    def photograph(self, path: Path, whole: bool = False) -> None:
        """Write what the window shows, or the `whole` page, as PNG."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def named(self, *methods: str) -> list[dict[str, Any]]:
        """The parameters of the events of these names so far."""
        self.evaluate("new Promise((done) => setTimeout(done, 100))")
        return [one["params"] for one in self.events if one.get("method") in methods]

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self.pending:
            ready, _, _ = select.select([self.read_from], [], [], SECONDS_TO_ANSWER)
            assert ready, "the browser does not answer"
            chunk = os.read(self.read_from, 1 << 20)
            assert chunk, "the browser has ended"
            self.pending += chunk
        line, _, self.pending = self.pending.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message


@contextmanager
def open_chromium(profile: Path) -> Iterator[Page]:
    """A browser with one empty page; skips the test where none is installed."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip(f"no browser is installed ({', '.join(NAMES)})")
    (its_in, our_out), (our_in, its_out) = os.pipe(), os.pipe()
    # The browser reads file 3 and writes file 4, which may be ends of these pipes already.
    ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (its_in, its_out)]
    actions = [(os.POSIX_SPAWN_DUP2, ends[0], 3), (os.POSIX_SPAWN_DUP2, ends[1], 4)]
    log = os.open(profile / "log", os.O_WRONLY | os.O_CREAT)
    actions += [(os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2)]
    arguments = [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    process = os.posix_spawn(program, arguments, os.environ, file_actions=actions, setpgroup=0)
    for end in (its_in, its_out, *ends, log):
        os.close(end)
    try:
        page = Page(our_out, our_in)
        targets = page.call("Target.getTargets")["targetInfos"]
        target = next(one["targetId"] for one in targets if one["type"] == "page")
        page.session = page.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        yield page
    finally:
        os.killpg(process, signal.SIGKILL)
        os.waitpid(process, 0)
        os.close(our_out)
        os.close(our_in)
