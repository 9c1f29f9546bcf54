"""`cause_of`: the one line that says why a step failed, out of all that it wrote (pure)."""

from __future__ import annotations

import re

from sparkml.redaction import printable

_LAST_LINE = re.compile(r"^ERROR [A-Z][A-Z0-9_]*: .*$", re.MULTILINE)
_TRACEBACK = re.compile(
    r"^Traceback \(most recent call last\):\n(?:[ \t].*\n|\n)*(?P<last>\S.*)$", re.MULTILINE
)

_OF_YARN = tuple(
    re.compile(pattern, re.MULTILINE)
    for pattern in (
        r"Required executor memory .*?above the max threshold.*$",
        r"Container killed by YARN for exceeding .*$",
        r"Container killed on request\. Exit code is (?:137|143).*$",
        r"Container from a bad node: .*Exit status: (?:137|143).*$",
        r"Resource request .*yarn\.io/gpu.*$",
    )
)
_OF_JAVA = re.compile(
    r"^(?:Exception in thread \"[^\"]*\"|Caused by:) (?P<said>\S.*)$", re.MULTILINE
)
_DIAGNOSTICS = re.compile(r"^\s*diagnostics: (?P<said>(?!N/A)\S.*)$", re.MULTILINE)

LONGEST = 600


def cause_of(*texts: str) -> str:
    """The cause that these logs tell, on one line, printable; empty when none is found.

    Sought in this order, the last of each: our own `ERROR CODE: …`, a limit of YARN's, the last
    line of a Python traceback, a Java exception, YARN's diagnostics.

    Args:
        texts: the driver's stderr, its stdout, the step's stderr: the surest place first. Drivers
            tell reasons in stdout as well as in stderr.
    """
    for find in (_ours, _yarn, _python, _java, _diagnostics):
        for text in texts:
            found = find(text)
            if found:
                line = " ".join(printable(found).split())
                return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
    return ""


def _ours(text: str) -> str:
    found = _LAST_LINE.findall(text)
    return str(found[-1]) if found else ""


def _yarn(text: str) -> str:
    for pattern in _OF_YARN:
        found = list(pattern.finditer(text))
        if found:
            return str(found[-1][0])
    return ""


def _python(text: str) -> str:
    found = list(_TRACEBACK.finditer(text))
    return found[-1]["last"] if found else ""


def _java(text: str) -> str:
    found = list(_OF_JAVA.finditer(text))
    return found[-1]["said"] if found else ""


def _diagnostics(text: str) -> str:
    found = list(_DIAGNOSTICS.finditer(text))
    return found[-1]["said"] if found else ""
