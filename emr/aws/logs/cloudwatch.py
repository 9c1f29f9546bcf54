"""A step's logs in CloudWatch: written while it runs, the only live tail there is."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from emr.aws.client import translated
from emr.aws.logs.cause import cause_of
from emr.aws.logs.pieces import Piece
from emr.aws.logs.tail import KEPT, LONGEST, without_start

if TYPE_CHECKING:
    from emr.aws.client import Aws
    from emr.aws.logs.pieces import Stream
    from emr.aws.observed import LogGroup, Step

QUIET_LOOKS = 3
"""So many looks without anything new, after the step's end, mean that nothing more comes."""


@dataclass(slots=True, kw_only=True)
class CloudWatchLogs:
    """Streams that bear the step's or its application's id. A look costs a list, a get each."""

    aws: Aws
    at: LogGroup
    only: Stream | None = None
    _next: dict[str, str] = field(default_factory=dict)
    _ends: dict[str, str] = field(default_factory=dict)
    _untold: list[Piece] = field(default_factory=list)
    """What was read before AWS stopped answering, for the next look."""
    _quiet: int = 0

    def read(self, step: Step) -> list[Piece]:
        """What is new since the last time.

        Raises:
            NotFound: there is no such log group.
            AwsRefused: we may not read it.
        """
        for stream in self._streams((step.id, *step.applications)):
            if self.only not in {None, _kind(stream)}:
                continue
            text = self._new(stream)
            if text:
                self._ends[stream] = (self._ends.get(stream, "") + text)[-KEPT:]
                place = f"{self.at.group}:{stream}"
                of_driver = step.id not in stream
                self._untold.append(
                    Piece(stream=_kind(stream), of_driver=of_driver, place=place, text=text)
                )
        pieces, self._untold = self._untold, []
        self._quiet = self._quiet + 1 if step.done and not pieces else 0
        return pieces

    def settled(self, step: Step) -> bool:
        """Whether the step has ended, and several looks brought nothing more."""
        return step.done and self._quiet >= QUIET_LOOKS

    def cause(self) -> str:
        """Why the step failed, as any of the streams tells it."""
        return cause_of(*self._ends.values())

    def _streams(self, ids: tuple[str, ...]) -> list[str]:
        # AWS documents the prefix of a stream's name, not the rest; the ids are in it.
        asked: dict[str, Any] = {"logGroupName": self.at.group}
        if self.at.prefix:
            asked["logStreamNamePrefix"] = self.at.prefix
        pages = self.aws.logs.get_paginator("describe_log_streams")
        with translated():
            names = [s["logStreamName"] for p in pages.paginate(**asked) for s in p["logStreams"]]
        # As whole words: `s-1` is not in `s-10`.
        known = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, ids))})(?!\w)")
        return sorted(name for name in names if known.search(name))

    def _new(self, stream: str) -> str:
        asked = {"logGroupName": self.at.group, "logStreamName": stream, "startFromHead": True}
        said: deque[str] = deque()
        kept = left_out = 0
        token = self._next.get(stream)
        while True:
            with translated():
                page = self.aws.logs.get_log_events(
                    **asked, **({"nextToken": token} if token else {})
                )
            for event in page["events"]:
                said.append(f"{event['message']}\n")
                kept += len(said[-1])
            while kept > LONGEST and len(said) > 1:
                left_out += len(said[0])
                kept -= len(said.popleft())
            before, token = token, page["nextForwardToken"]
            # The same token again is how the service says that this was the end.
            if token == before or not page["events"]:
                self._next[stream] = token
                return without_start(left_out) + "".join(said)


def _kind(stream: str) -> Stream:
    name = stream.lower()
    if "stdout" in name:
        return "stdout"
    return "controller" if "controller" in name else "stderr"
