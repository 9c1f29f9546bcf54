"""moto's S3 behind a doorkeeper: whose key is not on the list is refused, as by IAM."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

KEY, SECRET = "AKIATESTINGTESTING00", "a-secret-of-the-tests"

_CREDENTIAL = re.compile(r"Credential=([^/,]+)/")
_DENIED = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code>'
    b"<Message>Access Denied</Message></Error>"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request that came to the door; `key` is empty where it was not signed."""

    method: str
    path: str
    key: str
    token: str
    agent: str

    @property
    def by_arrow(self) -> bool:
        """Whether a Python process sent it: pyarrow's SDK is the C++ one, S3A's the Java one."""
        return "C++" in self.agent or "cpp" in self.agent


@dataclass(slots=True, kw_only=True)
class Door:
    """Which access keys may enter, each with its session token ('' for a user's own)."""

    open_to: dict[str, str] = field(default_factory=lambda: {KEY: ""})
    seen: list[Request] = field(default_factory=list)

    def admits(self, request: Request) -> bool:
        """Whether it may pass; what came is remembered."""
        self.seen.append(request)
        return self.open_to.get(request.key) == request.token


class S3:
    """An S3 server on a port of its own; `url` is its endpoint, `door` says who may enter."""

    def __init__(self) -> None:
        self.door = Door()

    def __enter__(self) -> S3:
        from moto.moto_server.werkzeug_app import (
            DomainDispatcherApplication,
            create_backend_app,
        )
        from werkzeug.serving import WSGIRequestHandler, make_server

        class Quiet(WSGIRequestHandler):
            def log(self, *_args: Any) -> None:
                pass

        app = DomainDispatcherApplication(create_backend_app)
        self._server = make_server(
            "127.0.0.1", 0, self._guarded(app), threaded=True, request_handler=Quiet
        )
        self.url = f"http://127.0.0.1:{self._server.port}"
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

    def storage_options(self) -> dict[str, str]:
        """How deltalake reaches it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
        }

    def client(self) -> Any:
        """boto3's client, with the key that always opens."""
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
        )

    def _guarded(self, app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
        def guarded(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
            found = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
            request = Request(
                method=environ["REQUEST_METHOD"],
                path=environ["PATH_INFO"],
                key=found[1] if found else "",
                token=environ.get("HTTP_X_AMZ_SECURITY_TOKEN", ""),
                agent=environ.get("HTTP_USER_AGENT", ""),
            )
            if self.door.admits(request):
                return app(environ, start)
            start("403 Forbidden", [("Content-Type", "application/xml")])
            return [b"" if request.method == "HEAD" else _DENIED]

        return guarded
