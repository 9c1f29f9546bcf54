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
NEWEST_FIRST = {"orderBy": "LastEventTime", "descending": True}
"""AWS does not combine it with a prefix, and cannot place a stream whose time it does not know."""
WHOLE_EVERY = 15
"""So many looks at a running step, one lists the whole group: 5 minutes."""


@dataclass(slots=True, kw_only=True)
class CloudWatchLogs:
    """Streams that bear the step's or its application's id. A look costs a list, a get each.

    A group without a prefix is shared with others. AWS tells the time of a stream's last event
    late, within an hour as a rule, so the whole group is listed until each of the ids has a stream,
    and again once the step has ended. Between the two it is listed from the newest stream to the
    first that was last written before the step was made, and whole at every 15th look.
    """

    aws: Aws
    at: LogGroup
    only: Stream | None = None
    _found: set[str] = field(default_factory=set)
    """The streams that are known by now: one that was found is read at every look."""
    _looks: int = 0
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
        """The step's streams, as far as AWS tells of them."""
        ids = (step.id, *step.applications)
        for name in self._listed(step, ids):
            if any(_bears(name, one) for one in ids):
                self._found.add(name)
        return sorted(self._found)

    def _listed(self, step: Step, ids: tuple[str, ...]) -> Iterator[str]:
        """Names of the group's streams, of those that may be the step's."""
        awaited = step.started is not None and any(
            not any(_bears(name, one) for name in self._found) for one in ids
        )
        whole = step.done or step.created is None or awaited or self._looks % WHOLE_EVERY == 0
        self._looks += 1
        order: dict[str, Any] = {} if whole else NEWEST_FIRST
        if self.at.prefix:
            order = {"logStreamNamePrefix": self.at.prefix}
        # No event of the step's own is older than the step.
        since_ms = step.created.timestamp() * 1000 if step.created else 0.0
        pages = self.aws.logs.get_paginator("describe_log_streams")
        with translated():
            for page in pages.paginate(logGroupName=self.at.group, **order):
                for stream in page["logStreams"]:
                    written_ms = stream.get("lastEventTimestamp", math.inf)
                    if order is NEWEST_FIRST and written_ms < since_ms:
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


def _bears(stream: str, id_: str) -> bool:
    """Whether an id is in a stream's name: AWS documents the name's prefix, not the rest of it."""
    # As a whole word: `s-1` is not in `s-10`.
    return re.search(rf"(?<!\w){re.escape(id_)}(?!\w)", stream) is not None


def _kind(stream: str) -> Stream:
    name = stream.lower()
    if "stdout" in name:
        return "stdout"
    return "controller" if "controller" in name else "stderr"
