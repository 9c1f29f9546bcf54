"""Logs on their way out: late, in pieces; in S3 each growing file is stored whole again."""

from __future__ import annotations

import gzip
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

Sink = Callable[[str, bytes], None]
"""Takes a file's name and all that it holds by now."""

_TICK_S = 0.05


def client_of(service: str, endpoint: str) -> Any:
    """A client of the cluster's own, with its own credentials, as nodes have a role."""
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="cluster",
        aws_secret_access_key="cluster",
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of an `s3://`, `s3n://` or `s3a://` address."""
    parts = urlsplit(uri)
    return parts.netloc, parts.path.strip("/")


def s3_folder(s3: Any, uri: str, *, kms_key: str | None = None) -> Sink:
    """A sink that stores each file whole, gzipped, as `<uri>/<name>.gz`."""
    bucket, prefix = split_uri(uri)
    sealed = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}

    def put(name: str, content: bytes) -> None:
        s3.put_object(
            Bucket=bucket,
            Key=f"{prefix}/{name}.gz".lstrip("/"),
            Body=gzip.compress(content, mtime=0),
            ContentType="application/x-gzip",
            **sealed,
        )

    return put


@dataclass(slots=True, kw_only=True, eq=False)
class Shipment:
    """Files that go to one place, read again and again until they stop growing."""

    place: str
    """Where they go, for the list of problems."""
    read: Callable[[], Mapping[str, bytes]]
    """The files now: names, which may have slashes, to contents."""
    sink: Sink
    delay_s: float
    due: float = 0.0
    last_due: float | None = None
    """When the final contents are stored; None while they may grow."""
    stored: dict[str, int] = field(default_factory=dict)

    def finish(self) -> None:
        """The files are complete: they are stored once more, late as ever."""
        self.last_due = time.monotonic() + self.delay_s


class Shipper:
    """Reads the shipments' files, and hands on what changed, in a thread of its own."""

    def __init__(self, *, interval_s: float) -> None:
        self.problems: list[str] = []
        """What could not be stored, and why; EMR says nothing of it either."""
        self._interval_s = interval_s
        self._lock = threading.Lock()
        self._shipments: list[Shipment] = []
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name="logs", daemon=True)

    def start(self) -> None:
        """Begin to store."""
        self._thread.start()

    def close(self) -> None:
        """Stop; what has not been stored yet never will be."""
        self._closed.set()
        self._thread.join()

    def add(self, shipment: Shipment) -> Shipment:
        """Take a shipment on; its first files are stored after its delay."""
        shipment.due = time.monotonic() + shipment.delay_s
        with self._lock:
            self._shipments.append(shipment)
        return shipment

    def _work(self) -> None:
        while not self._closed.wait(_TICK_S):
            with self._lock:
                under_way = list(self._shipments)
            for shipment in under_way:
                self._tend(shipment)

    def _tend(self, shipment: Shipment) -> None:
        moment = time.monotonic()
        complete = shipment.last_due is not None and shipment.last_due <= moment
        if shipment.due > moment and not complete:
            return
        shipment.due = moment + self._interval_s
        try:
            _store(shipment)
        except (BotoCoreError, ClientError) as why:
            self.problems.append(f"{shipment.place}: {why}")
            complete = True
        if complete:
            with self._lock:
                self._shipments.remove(shipment)


def _store(shipment: Shipment) -> None:
    for name, content in shipment.read().items():
        mark = zlib.crc32(content)
        if shipment.stored.get(name) != mark:
            shipment.sink(name, content)
            shipment.stored[name] = mark
