"""An instance's metadata service as EC2 has it (IMDSv2): a token first, then a role's keys."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

ROLE = "EMR_EC2_Profile"
SESSION = {
    "Code": "Success",
    "Type": "AWS-HMAC",
    "LastUpdated": "2026-11-21T00:00:00Z",
    "Expiration": "2036-11-21T00:00:00Z",
    "AccessKeyId": "ASIAPROFILEOFTESTS00",
    "SecretAccessKey": "a-temporary-secret-of-the-tests",
    "Token": "a-session-token-of-the-tests",
}
_KEYS = "/latest/meta-data/iam/security-credentials/"


class InstanceMetadata:
    """The service on a port of its own; `url` is what AWS_EC2_METADATA_SERVICE_ENDPOINT names."""

    def __enter__(self) -> InstanceMetadata:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/latest/api/token":
            self._answer("the-token", ("X-aws-ec2-metadata-token-ttl-seconds", "21600"))
        else:
            self._answer("", status=404)

    def do_GET(self) -> None:
        pages = {
            _KEYS: ROLE,
            _KEYS.rstrip("/"): ROLE,
            _KEYS + ROLE: json.dumps(SESSION),
            "/latest/meta-data/placement/availability-zone": "us-east-1a",
            "/latest/meta-data/placement/region": "us-east-1",
        }
        if self.headers.get("X-aws-ec2-metadata-token") != "the-token":  # what IMDSv2 is about
            self._answer("", status=401)
        else:
            self._answer(pages.get(self.path, ""), status=200 if self.path in pages else 404)

    def _answer(self, text: str, *headers: tuple[str, str], status: int = 200) -> None:
        self.send_response(status)
        for name, value in (("Content-Length", str(len(text))), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_args: Any) -> None:
        pass
