"""`EmrEndpoint`: the HTTP server, one request after another through faults, model and operation."""

from __future__ import annotations

import re
import socket
import tempfile
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Self

from .endings import ask_to_end
from .execute import Runner
from .faults import REFUSALS, Fault, Faults
from .logs import Shipper, client_of
from .operations import OPERATIONS
from .protocol import (
    TARGET,
    ApiError,
    operation_model,
    read_request,
    write_error,
    write_response,
)
from .state import ENDED, Store, new_id
from .world import Settings, World

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

HOME = "us-east-1"
_ENDS_S = 15.0
_SCOPE = re.compile(r"/(?P<region>[a-z0-9-]+)/elasticmapreduce/aws4_request")


class EmrEndpoint:
    """EMR on this machine, while the `with` block lasts.

    Args:
        s3_endpoint: The address of the S3 server that logs are stored in and scripts fetched from.
        logs_endpoint: CloudWatch Logs' address; S3's, where one server is both, as moto's is.
        runner: Where and with which environment steps run; a scratch folder and PATH by default.
        faults: What goes wrong; more may be added to `faults` at any time.
        settings: Speed, delays, page size.
        port: The port on 127.0.0.1; any free one when 0.
    """

    def __init__(
        self,
        *,
        s3_endpoint: str,
        logs_endpoint: str | None = None,
        runner: Runner | None = None,
        faults: Iterable[Fault] = (),
        settings: Settings | None = None,
        port: int = 0,
    ) -> None:
        self._scratch = None if runner else tempfile.TemporaryDirectory(prefix="emr-endpoint-")
        self.faults = Faults(faults)
        self.requests: list[str] = []
        """The operations asked for, in order, refused ones included."""
        self.mistakes: list[str] = []
        """Answers of ours that broke EMR's model; tests want none."""
        settings = settings or Settings()
        self.shipper = Shipper(interval_s=settings.log_interval_s)
        self.world = World(
            settings=settings,
            store=Store(),
            faults=self.faults,
            runner=runner or Runner(folder=Path(self._scratch.name if self._scratch else ".")),
            shipper=self.shipper,
            s3=client_of("s3", s3_endpoint),
            logs=client_of("logs", logs_endpoint or s3_endpoint),
        )
        self._lock = threading.Lock()
        self._worlds = {HOME: self.world}
        self._server = _Server(("127.0.0.1", port), self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="emr", daemon=True
        )

    @property
    def url(self) -> str:
        """What AWS_ENDPOINT_URL_EMR is to be."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self.shipper.start()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._end_clusters()
        self.shipper.close()
        if self._scratch is not None:
            self._scratch.cleanup()

    def world_of(self, region: str) -> World:
        """What there is in a region; each has its own clusters. `world` is us-east-1's."""
        with self._lock:
            if region not in self._worlds:
                self._worlds[region] = replace(self.world, store=Store())
            return self._worlds[region]

    def answer(self, operation: str, body: bytes, region: str = HOME) -> bytes:
        """The response's body; ApiError when the request is refused, Cut when its reply is lost."""
        self.requests.append(operation)
        model = operation_model(operation)
        refusal = self.faults.take(REFUSALS, operation)
        if refusal is not None:
            raise _refused(refusal, operation, {shape.name for shape in model.error_shapes})
        function = OPERATIONS.get(operation)
        if function is None:
            raise ApiError("UnknownOperationException", f"'{operation}' is not served here.")
        request = read_request(operation, body)
        world = self.world_of(region)
        with world.store.changed:
            try:
                written = write_response(operation, function(world, request))
            finally:
                world.store.changed.notify_all()
        if self.faults.take(["lost-reply"], operation) is not None:
            raise Cut
        return written

    def _end_clusters(self) -> None:
        """End what still lives, so that no process outlives the endpoint."""
        for store in [world.store for world in self._worlds.values()]:
            with store.changed:
                _end_all(store)


def _end_all(store: Store) -> None:
    for cluster in store.clusters.values():
        ask_to_end(cluster, "TERMINATED", "USER_REQUEST", "The endpoint is closed")
    store.changed.notify_all()
    store.changed.wait_for(lambda: all(c.state in ENDED for c in store.clusters.values()), _ENDS_S)


class Cut(Exception):
    """The request was done, but its reply is lost: the connection is cut."""


def _refused(fault: Fault, operation: str, own: set[str]) -> ApiError:
    refusal = REFUSALS[fault.kind]
    # EMR has two names for the same thing; which one, depends on the operation.
    code = "InternalServerError" if fault.kind == "internal-error" else refusal.code
    if fault.kind == "internal-error" and "InternalServerException" in own:
        code = "InternalServerException"
    return ApiError(code, refusal.message.format(operation=operation), refusal.status)


class _Server(ThreadingHTTPServer):
    """A thread a connection; the handlers reach the endpoint through it."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], endpoint: EmrEndpoint) -> None:
        super().__init__(address, _Handler)
        self.endpoint = endpoint


class _Handler(BaseHTTPRequestHandler):
    """One connection's requests."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        """Every operation is a POST to `/`, named by X-Amz-Target."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            status, written = 200, self._answer(body)
        except Cut:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        except ApiError as error:
            status, written = error.status, write_error(error)
            if error.code == "InternalFailure":
                self.server.endpoint.mistakes.append(error.message)
        except Exception as why:  # noqa: BLE001 - a fault of ours: told, and the test that hit it fails
            mistake = f"{self.headers.get('X-Amz-Target')}: {type(why).__name__}: {why}"
            self.server.endpoint.mistakes.append(mistake)
            status, written = 500, write_error(ApiError("InternalFailure", mistake, 500))
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(written)))
        self.send_header("x-amzn-RequestId", new_id("request-"))
        self.end_headers()
        self.wfile.write(written)

    def _answer(self, body: bytes) -> bytes:
        target = self.headers.get("X-Amz-Target", "")
        if not target.startswith(TARGET):
            raise ApiError("UnknownOperationException", f"No operation is named by '{target}'.")
        signed = _SCOPE.search(self.headers.get("Authorization", ""))
        if signed is None:
            raise ApiError("MissingAuthenticationTokenException", "The request is not signed.", 403)
        return self.server.endpoint.answer(target.removeprefix(TARGET), body, signed["region"])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing; `EmrEndpoint.requests` tells what was asked."""
