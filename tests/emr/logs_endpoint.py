"""CloudWatch Logs over real HTTP: one group's streams and their events, page by page.

`with LogsEndpoint(Stream(…), …) as endpoint: endpoint.url`. moto's gives no empty page and tells
every stream's last event at once, as AWS does not. Each request and answer is checked by the model.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from emr.request.service_model import check_request, check_response

STREAMS_A_PAGE = 2


@dataclass(frozen=True, kw_only=True)
class Stream:
    """A stream, the seconds that AWS tells of its last event, and its events in pages."""

    name: str
    last_s: float | None = None
    pages: tuple[tuple[str, ...], ...] = ((),)


class LogsEndpoint:
    """One group of these streams."""

    def __init__(self, *streams: Stream) -> None:
        self.streams = streams
        self.requests: list[tuple[str, dict[str, object]]] = []
        handler = type("Handler", (_Handler,), {"endpoint": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> LogsEndpoint:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def asked(self, operation: str) -> int:
        """How often an operation was called."""
        return [name for name, _ in self.requests].count(operation)

    def answer(self, operation: str, asked: dict[str, object]) -> tuple[int, dict[str, object]]:
        """Status and body."""
        check_request("logs", operation, asked)
        self.requests.append((operation, asked))
        told = getattr(self, f"_{operation}")(asked)
        if "__type" in told:
            return 400, told
        check_response("logs", operation, told)
        return 200, told

    def _DescribeLogStreams(self, asked):  # noqa: N802
        prefix, newest_first = asked.get("logStreamNamePrefix", ""), "orderBy" in asked
        if prefix and newest_first:
            return {"__type": "InvalidParameterException", "message": "not with a prefix"}
        found = sorted(
            (one for one in self.streams if one.name.startswith(prefix)), key=lambda one: one.name
        )
        if newest_first:
            assert asked["descending"] is True
            # AWS does not say where it puts a stream whose time it does not know yet.
            found.sort(key=lambda one: one.last_s or 0.0, reverse=True)
        start = int(asked.get("nextToken", 0))
        end = start + STREAMS_A_PAGE
        more = {"nextToken": str(end)} if end < len(found) else {}
        return {"logStreams": [_told(one) for one in found[start:end]], **more}

    def _GetLogEvents(self, asked):  # noqa: N802
        (stream,) = [one for one in self.streams if one.name == asked["logStreamName"]]
        page = int(str(asked.get("nextToken", "f/0")).removeprefix("f/"))
        said = stream.pages[page] if page < len(stream.pages) else ()
        after = min(page + 1, len(stream.pages))
        events = [{"timestamp": 1, "message": text} for text in said]
        return {"events": events, "nextForwardToken": f"f/{after}"}


def _told(stream: Stream) -> dict[str, object]:
    last = {} if stream.last_s is None else {"lastEventTimestamp": round(stream.last_s * 1000)}
    return {"logStreamName": stream.name, **last}


class _Handler(BaseHTTPRequestHandler):
    endpoint: LogsEndpoint

    def do_POST(self) -> None:
        operation = self.headers["X-Amz-Target"].rpartition(".")[2]
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, told = self.endpoint.answer(operation, asked)
        data = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_parts: object) -> None:
        """Say nothing on stderr."""
