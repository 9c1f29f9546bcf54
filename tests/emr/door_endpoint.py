"""EMR Serverless's and EMR on EKS's job runs over real HTTP, each answer checked by its own model.

`with DoorEndpoint(states) as endpoint: endpoint.url`. A run goes through `states`, one a look; the
last one stays. A client token that was seen before gives the run that it started, as AWS does.
"""

from __future__ import annotations

import json
import re
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

from emr.request.service_model import check_request, check_response

_PATH = re.compile(r"/(applications|virtualclusters)/(\w+)(?:/jobruns(?:/(\w+))?)?")
ENDED = ("SUCCESS", "COMPLETED", "FAILED", "CANCELLED")
_ROLE = "arn:aws:iam::123456789012:role/job"


class DoorEndpoint:
    """Job runs of any application and virtual cluster."""

    def __init__(self, *states: str, reason: str = "as the test says") -> None:
        self.states, self.reason = states, reason
        self.requests: list[dict[str, object]] = []
        self.cancelled: list[str] = []
        self.architecture, self.release = "ARM64", "emr-spark-8.1.0"
        """The application's."""
        self.runs: dict[str, dict[str, object]] = {}
        self.tokens: dict[str, str] = {}
        self.unlisted: set[str] = set()
        """Runs that a list does not tell yet."""
        handler = type("Handler", (_Handler,), {"endpoint": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> DoorEndpoint:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def start(self, kind: str, place: str, body: dict[str, object]) -> str:
        """The id of the run that a request starts, or has started."""
        self.requests.append(body)
        token = str(body["clientToken"])
        if token not in self.tokens:
            run_id = self.tokens[token] = f"00run{len(self.runs)}"
            self.runs[run_id] = {"kind": kind, "place": place, "body": body, "looks": 0}
            self.runs[run_id]["created"] = time.time()
        return self.tokens[token]

    def application(self, place: str) -> dict[str, object]:
        """The application as EMR Serverless tells it."""
        return {
            "applicationId": place,
            "arn": f"arn:aws:emr-serverless:us-east-1:123456789012:/applications/{place}",
            "releaseLabel": self.release,
            "architecture": self.architecture,
            "type": "Spark",
            "state": "STARTED",
            "createdAt": time.time(),
            "updatedAt": time.time(),
        }

    def told(self, run_id: str, *, look: bool) -> dict[str, object]:
        """A run as its service tells it; a look at it moves it on."""
        run = self.runs[run_id]
        at = min(int(run["looks"]), len(self.states) - 1)
        run["looks"] = int(run["looks"]) + look
        state = "CANCELLED" if run_id in self.cancelled else self.states[at]
        body, place = run["body"], run["place"]
        if run["kind"] == "virtualclusters":
            arn = f"arn:aws:emr-containers:us-east-1:123456789012:/virtualclusters/{place}/jobruns/"
            fields = ("name", "configurationOverrides", "releaseLabel", "jobDriver", "tags")
            failed = {"failureReason": "USER_ERROR"} if state == "FAILED" else {}
            return {
                "id": run_id,
                "virtualClusterId": place,
                "arn": arn + run_id,
                "state": state,
                "stateDetails": self.reason,
                "createdAt": _iso(run["created"]),
                **({"finishedAt": _iso(run["created"])} if state in ENDED else {}),
                **failed,
                **{name: body[name] for name in fields},
            }
        arn = f"arn:aws:emr-serverless:us-east-1:123456789012:/applications/{place}/jobruns/"
        common = {
            "applicationId": place,
            "name": body["name"],
            "arn": arn + run_id,
            "createdBy": _ROLE,
            "createdAt": run["created"],
            "updatedAt": run["created"],
            "executionRole": body["executionRoleArn"],
            "state": state,
            "stateDetails": self.reason,
            "releaseLabel": "emr-spark-8.1.0",
        }
        if not look:
            return {**common, "id": run_id}
        fields = ("jobDriver", "configurationOverrides", "tags")
        return {**common, "jobRunId": run_id, **{name: body[name] for name in fields}}


class _Handler(BaseHTTPRequestHandler):
    endpoint: DoorEndpoint

    def do_POST(self) -> None:
        kind, place, _ = self._parts()
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        serverless = kind == "applications"
        key = "applicationId" if serverless else "virtualClusterId"
        check_request(_service(kind), "StartJobRun", {key: place, **body})
        run_id = self.endpoint.start(kind, place, body)
        arn = self.endpoint.told(run_id, look=False)["arn"]
        if serverless:
            answer = {key: place, "jobRunId": run_id, "arn": arn}
        else:
            answer = {key: place, "id": run_id, "name": body["name"], "arn": arn}
        self._answer(kind, "StartJobRun", answer)

    def do_GET(self) -> None:
        kind, place, run_id = self._parts()
        serverless = kind == "applications"
        query = parse_qs(urlparse(self.path).query)
        if not urlparse(self.path).path.rpartition(place)[2]:
            self._answer(kind, "GetApplication", {"application": self.endpoint.application(place)})
            return
        if run_id is None:
            since = datetime.fromisoformat(
                query["createdAtAfter" if serverless else "createdAfter"][0]
            )
            runs = [
                self.endpoint.told(name, look=False)
                for name, run in self.endpoint.runs.items()
                if run["created"] >= since.timestamp() and name not in self.endpoint.unlisted
            ]
            self._answer(kind, "ListJobRuns", {"jobRuns": runs[::-1]})
            return
        operation = "GetJobRun" if serverless else "DescribeJobRun"
        self._answer(kind, operation, {"jobRun": self.endpoint.told(run_id, look=True)})

    def do_DELETE(self) -> None:
        kind, place, run_id = self._parts()
        self.endpoint.cancelled.append(run_id)
        if kind == "applications":
            answer = {"applicationId": place, "jobRunId": run_id}
        else:
            answer = {"virtualClusterId": place, "id": run_id}
        self._answer(kind, "CancelJobRun", answer)

    def log_message(self, *_parts: object) -> None:
        """Say nothing on stderr."""

    def _parts(self) -> tuple[str, str, str | None]:
        found = _PATH.fullmatch(urlparse(self.path).path)
        assert found, self.path
        return found[1], found[2], found[3]

    def _answer(self, kind: str, operation: str, answer: dict[str, object]) -> None:
        check_response(_service(kind), operation, answer)
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _iso(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).isoformat()


def _service(kind: str) -> str:
    return "emr-serverless" if kind == "applications" else "emr-containers"
