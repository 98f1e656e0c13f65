"""A headless Chromium, told what to do over a pipe: Debian's, and no library for it."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PROGRAMS = ("chromium-headless-shell", "chromium")
_FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
          "--disable-background-networking", "--disable-component-update", "--disable-sync",
          "--disable-dev-shm-usage", "--remote-debugging-pipe")  # fmt: skip
_PATIENCE = 60


class Changing(AssertionError):
    """The browser refused: mostly as another page takes this one's place meanwhile."""


@dataclass
class Browser:
    """One page of one browser. Elements are named by CSS selectors, or by the text of a button or
    link; clicks and keys are a person's: they go through the browser's own input."""

    words: IO[bytes]
    answers: IO[bytes]
    session: str = ""
    number: int = 0
    scripts: list[str] = field(default_factory=list)
    """What the page said in a dialog: markup that ran would show there."""

    def ask(self, method: str, **params: Any) -> Any:
        number = self._tell(method, params)
        while True:
            answer = self._answer()
            if answer.get("method") == "Page.javascriptDialogOpening":
                self.scripts.append(answer["params"]["message"])
                self._tell("Page.handleJavaScriptDialog", {"accept": True})
            if answer.get("id") == number:
                if "error" in answer:
                    raise Changing(f"{method}: {answer['error']}")
                return answer["result"]

    def _tell(self, method: str, params: dict[str, Any]) -> int:
        self.number += 1
        told = {"id": self.number, "method": method, "params": params}
        if self.session:
            told["sessionId"] = self.session
        self.words.write(json.dumps(told).encode() + b"\0")
        self.words.flush()
        return self.number

    def _answer(self) -> Any:
        read = bytearray()
        while not read.endswith(b"\0"):
            letter = self.answers.read(1)
            assert letter, "the browser ended"
            read += letter
        return json.loads(read[:-1])

    def look(self, expression: str) -> Any:
        """The value of an expression in the page; None where the page is changing."""
        try:
            found = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        except Changing:
            return None
        return found["result"].get("value")

    def until(self, expression: str) -> Any:
        """Look again and again until there is something."""
        deadline = time.monotonic() + _PATIENCE
        while not (found := self.look(expression)):
            assert time.monotonic() < deadline, (expression, self.text)
            time.sleep(0.05)
        return found

    def open(self, address: str) -> None:
        self.look("window.left = true")
        self.ask("Page.navigate", url=address)
        self.settled()

    def settled(self) -> None:
        """Wait for another document, whole."""
        self.until("!window.left && document.readyState === 'complete'")

    @property
    def text(self) -> str:
        """What a person reads."""
        return str(self.look("document.body.innerText"))

    def shows(self, words: str) -> None:
        self.until(f"document.body && document.body.innerText.includes({json.dumps(words)})")

    def read_again_until(self, words: str) -> None:
        """Read the page anew until it has some words: for what a cluster has yet to do."""
        deadline = time.monotonic() + _PATIENCE
        while words not in self.text:
            assert time.monotonic() < deadline, (words, self.text)
            self.look("window.left = true")
            self.ask("Page.reload")
            self.settled()

    def type(self, selector: str, text: str) -> None:
        """Put a text into a field, in the place of what was there."""
        self.until(f"(() => {{ const one = document.querySelector({json.dumps(selector)});"
                   " if (one) { one.focus(); one.select(); } return !!one; })()")  # fmt: skip
        self.ask("Input.insertText", text=text)

    def click(self, name: str) -> None:
        """Click on a button or a link with this text, and wait for the page behind it."""
        expression = (
            "(() => { const one = [...document.querySelectorAll('button, a')].find("
            f"each => each.innerText.trim() === {json.dumps(name)}); if (!one) return null;"
            " one.scrollIntoView({block: 'center'}); const box = one.getBoundingClientRect();"
            " window.left = true; return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        x, y = self.until(expression)
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        self.settled()

    def begin(self) -> None:
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self.ask("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        self.ask("Page.enable")


def pin(certificate: str) -> str:
    """What Chromium knows a key by."""
    key = x509.load_pem_x509_certificate(certificate.encode()).public_key()
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


@contextmanager
def browsing(place: Path, certificate: str) -> Iterator[Browser]:
    """A browser with settings of its own, which trusts this certificate's key and no other."""
    program = os.environ.get("DLWS_TESTS_BROWSER") or next(
        filter(None, map(shutil.which, PROGRAMS))
    )
    trust = f"--ignore-certificate-errors-spki-list={pin(certificate)}"
    (in_read, in_write), (out_read, out_write) = os.pipe(), os.pipe()
    words = [program, *_FLAGS, trust, f"--user-data-dir={place}"]
    # It reads what it is told from descriptor 3, and answers on 4: ours are moved out of the way.
    its = [fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, 10) for one in (in_read, out_write)]
    line = ["bash", "-c", f'exec "$@" 3<&{its[0]} 4>&{its[1]}', "bash", *words]
    quiet: Any = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    with subprocess.Popen(line, pass_fds=its, **quiet) as process:
        for one in (in_read, out_write, *its):
            os.close(one)
        with open(in_write, "wb") as told, open(out_read, "rb") as answers:
            try:
                browser = Browser(told, answers)
                browser.begin()
                yield browser
            finally:
                process.terminate()
