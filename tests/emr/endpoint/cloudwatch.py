"""Logs on their way to CloudWatch: each file a stream, each new line an event."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .logs import Sink


def log_streams(logs: Any, group: str, prefix: str) -> Sink:
    """A sink that appends whole lines to the streams `<prefix>/<name>` of a log group.

    Args:
        logs: A boto3 client of CloudWatch Logs.
        group: The log group; made when it is not there.
        prefix: What the streams' names begin with.
    """
    sent: dict[str, int] = {}

    def append(name: str, content: bytes) -> None:
        stream = f"{prefix}/{name}"
        if name not in sent:
            _make(logs, group, stream)
        whole = content[: content.rfind(b"\n") + 1]
        lines = whole[sent.get(name, 0) :].decode(errors="replace").splitlines()
        sent[name] = len(whole)
        now_ms = int(time.time() * 1_000)
        # CloudWatch takes no empty messages.
        events = [{"timestamp": now_ms, "message": line} for line in lines if line]
        if events:
            logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)

    return append


def _make(logs: Any, group: str, stream: str) -> None:
    with suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName=group)
    with suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
