"""A step's logs in CloudWatch: written while it runs, the only live tail there is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from emr.aws.client import translated
from emr.aws.logs.cause import cause_of
from emr.aws.logs.pieces import Piece
from emr.aws.logs.tail import KEPT

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
    _next: dict[str, str] = field(default_factory=dict)
    _ends: dict[str, str] = field(default_factory=dict)
    _quiet: int = 0

    def read(self, step: Step) -> list[Piece]:
        """What is new since the last time.

        Raises:
            NotFound: there is no such log group.
            AwsRefused: we may not read it.
        """
        pieces = []
        for stream in self._streams((step.id, *step.applications)):
            text = self._new(stream)
            if text:
                self._ends[stream] = (self._ends.get(stream, "") + text)[-KEPT:]
                place = f"{self.at.group}:{stream}"
                of_driver = step.id not in stream
                pieces.append(
                    Piece(stream=_kind(stream), of_driver=of_driver, place=place, text=text)
                )
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
        return sorted(name for name in names if any(known in name for known in ids))

    def _new(self, stream: str) -> str:
        asked = {"logGroupName": self.at.group, "logStreamName": stream, "startFromHead": True}
        said: list[str] = []
        while True:
            token = self._next.get(stream)
            with translated():
                page = self.aws.logs.get_log_events(
                    **asked, **({"nextToken": token} if token else {})
                )
            said += [f"{event['message']}\n" for event in page["events"]]
            self._next[stream] = page["nextForwardToken"]
            # The same token again is how the service says that this was the end.
            if page["nextForwardToken"] == token or not page["events"]:
                return "".join(said)


def _kind(stream: str) -> Stream:
    name = stream.lower()
    if "stdout" in name:
        return "stdout"
    return "controller" if "controller" in name else "stderr"
