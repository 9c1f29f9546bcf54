"""A step's logs on S3, read as they grow: the step's own, and its driver's by application id."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from emr.aws.client import translated
from emr.aws.logs.cause import cause_of
from emr.aws.logs.tail import STEP, Tail

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from emr.aws.client import Aws
    from emr.aws.observed import Step

Stream = Literal["stdout", "stderr", "controller"]

_APPLICATION = re.compile(r"\bapplication_\d{10,}_\d+\b")
_DRIVER = re.compile(r"/(?P<attempt>container_(?:e\d+_)?\d+_\d+_\d+)_0*1/(?P<file>[^/]+)$")
QUIET_LOOKS = 15
"""So many looks after a step's end without anything new: 5 minutes, EMR's interval of uploads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """New text of one log."""

    stream: Stream
    of_driver: bool
    place: str
    text: str


class Logs(Protocol):
    """A step's logs, wherever they are kept."""

    only: Stream | None
    """The one log that is fetched; all of them when None."""

    def read(self, step: Step) -> list[Piece]:
        """What is new since the last time."""

    def settled(self, step: Step) -> bool:
        """Whether the step has ended and nothing more will come."""

    def cause(self) -> str:
        """Why the step failed, as its logs tell it; empty when they do not."""


@dataclass(slots=True, kw_only=True)
class S3Logs:
    """Logs that EMR uploads every few minutes. A look costs 1 or 2 lists and a get per change."""

    aws: Aws
    root: str
    """`s3://bucket/prefix/j-…`: the cluster's folder."""
    only: Stream | None = None
    applications: list[str] = field(default_factory=list)
    _tails: dict[str, Tail] = field(default_factory=dict)
    _seen: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    _pieces: dict[str, tuple[Stream, bool]] = field(default_factory=dict)
    _untold: list[Piece] = field(default_factory=list)
    """What was read before AWS stopped answering, for the next look."""
    _quiet: int = 0
    """How many looks since the step's end have brought nothing."""

    def read(self, step: Step) -> list[Piece]:
        """What is new since the last time.

        Raises:
            AwsRefused: S3 or KMS refuses us the logs.
        """
        self._note(step.applications)
        for file in self._list(f"steps/{step.id}/"):
            for piece in self._new(file, of_driver=False):
                self._untold.append(piece)
                self._note(_APPLICATION.findall(piece.text) if piece.stream == "stderr" else [])
        for application in self.applications:
            for file in _of_driver(self._list(f"containers/{application}/")):
                self._untold.extend(self._new(file, of_driver=True))
        found, self._untold = self._untold, []
        self._quiet = self._quiet + 1 if step.done and not found else 0
        return found

    def settled(self, step: Step) -> bool:
        """Whether stdout and stderr of the driver are there whole, and will not change again.

        They will not once one was stored after the step's end; or when many looks brought nothing,
        as EMR may have stored all of it before. A step that never reached YARN has no driver: then
        its own logs count.
        """
        if step.ended is None or not self._quiet:
            return False
        of_driver = self._has_driver and self.only != "controller"
        ours = {uri: s for uri, (s, driver) in self._pieces.items() if driver == of_driver}
        if not ({self.only} if self.only else {"stdout", "stderr"}) <= set(ours.values()):
            return False
        stored = max(self._seen[uri][1] for uri in ours)
        final = stored > step.ended or self._quiet >= QUIET_LOOKS
        return final and all(self._tails[uri].whole for uri in ours)

    @property
    def _has_driver(self) -> bool:
        return bool(self.applications)

    def cause(self) -> str:
        """Why the step failed: sought in the driver's logs first."""
        kinds = self._pieces
        surest = sorted(kinds, key=lambda uri: (not kinds[uri][1], kinds[uri][0] != "stderr"))
        return cause_of(*(self._tails[uri].end for uri in surest))

    def _note(self, applications: Any) -> None:
        self.applications += [a for a in dict.fromkeys(applications) if a not in self.applications]

    def _list(self, below: str) -> Iterator[Any]:
        bucket, _, key = self.root.removeprefix("s3://").partition("/")
        pages = self.aws.s3.get_paginator("list_objects_v2")
        with translated():
            for page in pages.paginate(Bucket=bucket, Prefix=f"{key}/{below}"):
                yield from page.get("Contents", ())

    def _new(self, file: Any, *, of_driver: bool) -> Iterator[Piece]:
        """The piece that a listed file adds, if any."""
        name = file["Key"].rpartition("/")[2].removesuffix(".gz")
        if name not in {"stdout", "stderr", "controller"}:
            return
        # The step's stderr is needed whatever is asked for, when nothing else names the driver.
        names_driver = name == "stderr" and not of_driver and not self.applications
        if self.only not in {None, name} and not names_driver:
            return
        bucket = self.root.removeprefix("s3://").partition("/")[0]
        uri = f"s3://{bucket}/{file['Key']}"
        if self._seen.get(uri, ("", None))[0] == file["ETag"]:
            return
        with translated():
            body = self.aws.s3.get_object(Bucket=bucket, Key=file["Key"])["Body"]
            text = self._tails.setdefault(uri, Tail()).add(body.iter_chunks(STEP))
        self._seen[uri] = (file["ETag"], file["LastModified"])
        self._pieces[uri] = (name, of_driver)
        if text:
            yield Piece(stream=name, of_driver=of_driver, place=uri, text=text)


def _of_driver(files: Iterator[Any]) -> list[Any]:
    """The files of the driver's container: number 1 of the application's last attempt."""
    found = [(m["attempt"], file) for file in files if (m := _DRIVER.search(file["Key"]))]
    last = max((attempt for attempt, _ in found), default=None)
    return [file for attempt, file in found if attempt == last]
