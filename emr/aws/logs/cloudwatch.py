"""A step's logs in CloudWatch: written while it runs, the only live tail there is."""

from __future__ import annotations

import math
import re
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from emr.aws.client import translated
from emr.aws.logs.cause import cause_of
from emr.aws.logs.pieces import Piece
from emr.aws.logs.tail import KEPT, LONGEST, without_start

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emr.aws.client import Aws
    from emr.aws.logs.pieces import Stream
    from emr.aws.observed import LogGroup, Step

QUIET_LOOKS = 3
"""So many looks without anything new, after the step's end, mean that nothing more comes."""
ORDER = {"orderBy": "LastEventTime", "descending": True}
"""The newest first; AWS does not combine it with a prefix."""


@dataclass(slots=True, kw_only=True)
class CloudWatchLogs:
    """Streams that bear the step's or its application's id. A look costs a list, a get each.

    A group without a prefix is shared with others: it is listed from the newest stream to the
    first that was last written before the step was made. AWS tells the time of a stream's last
    event late, within an hour as a rule, so the group is listed whole before the step is settled.
    """

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
        for stream in self._streams(step):
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

    def _streams(self, step: Step) -> list[str]:
        # AWS documents the prefix of a stream's name, not the rest; the ids are in it.
        ids = "|".join(map(re.escape, (step.id, *step.applications)))
        # As whole words: `s-1` is not in `s-10`.
        known = re.compile(rf"(?<!\w)(?:{ids})(?!\w)")
        return sorted(name for name in self._listed(step) if known.search(name))

    def _listed(self, step: Step) -> Iterator[str]:
        """Names of the group's streams, of those that may be the step's."""
        order: dict[str, Any] = {"logStreamNamePrefix": self.at.prefix} if self.at.prefix else ORDER
        last_look = step.done and self._quiet == QUIET_LOOKS - 1
        since_ms = 0.0 if last_look or not step.created else step.created.timestamp() * 1000
        pages = self.aws.logs.get_paginator("describe_log_streams")
        with translated():
            for page in pages.paginate(logGroupName=self.at.group, **order):
                for stream in page["logStreams"]:
                    written_ms = stream.get("lastEventTimestamp", math.inf)
                    if order is ORDER and written_ms < since_ms:
                        return
                    yield stream["logStreamName"]

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
            # The same token again is how the service says that this was the end: a page may be
            # empty before it.
            if token == before:
                self._next[stream] = token
                return without_start(left_out) + "".join(said)


def _kind(stream: str) -> Stream:
    name = stream.lower()
    if "stdout" in name:
        return "stdout"
    return "controller" if "controller" in name else "stderr"
