"""`Progress`: how far it is, on stderr: a line for every change, and a sign of life in between."""

from __future__ import annotations

import sys
import time

EVERY_S = 60.0
"""Without a terminal, the same text is said again this often."""


class Progress:
    """A `Report` for a person. On a terminal, an unchanged line counts its seconds in place."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._live = sys.stderr.isatty() and not quiet
        self._began = self._told = time.monotonic()
        self._text = ""
        self._open = False

    def __call__(self, text: str, /) -> None:
        """Say it, if it is news."""
        now = time.monotonic()
        news = text != self._text
        if self._quiet or not (news or self._live or now - self._told >= EVERY_S):
            return
        line = f"{now - self._began:5.0f} s  {text}"
        if self._live:
            # A new text begins a new line; the same one is written over itself.
            start = "\n" if self._open and news else "\r"
            print(f"{start}{line}", end="", file=sys.stderr, flush=True)
            self._open = True
        else:
            print(line, file=sys.stderr, flush=True)
        self._text, self._told = text, now

    def close(self) -> None:
        """End the open line. Calling it twice is fine."""
        if self._open:
            print(file=sys.stderr, flush=True)
            self._open = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
