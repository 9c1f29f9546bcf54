"""`once`: of many clients that would make the same thing at once, one makes it; all get it.

Neither RunJobFlow nor AddJobFlowSteps has a client token, and their lists lag behind: two clients
that look and then make would both make. S3 can decide between them: a small file that only one can
write. It says who makes the thing, and, once it is made, what it is.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from emr.aws.client import throttled
from emr.aws.store import fetch_told, put_if
from emr.errors import AwsUnreachable, EmrError, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from emr.aws.client import Aws
    from emr.aws.pace import Pace
    from emr.aws.waiting import Report

Made = TypeVar("Made")


@dataclass(slots=True, kw_only=True)
class Claim:
    """The right to make one thing, held by this process as long as the file is as it wrote it."""

    aws: Aws
    uri: str
    kms_key: str | None
    etag: str = ""
    sent: bool = False
    """Whether a request that makes something may have been sent."""

    def take(self, **condition: str) -> bool:
        """Whether it is ours now: `IfNoneMatch`, nobody had it; `IfMatch`, it was as we read it."""
        return self._write(_text(), condition)

    def renew(self) -> None:
        """Hold it for longer; called before anything is sent.

        Raises:
            AwsUnreachable: another client has taken it over, which thought this one dead.
        """
        if not self._write(_text(), {"IfMatch": self.etag}):
            raise AwsUnreachable(
                "another client has taken over what this one was making",
                where=self.uri,
                fix="run it again: it finds what the other one made",
            )
        self.sent = True

    def close(self, made: str, report: Report) -> None:
        """Say what was made (nothing when empty). That it cannot be said loses nothing made."""
        try:
            self._write(_text(made=made, ended=True), {"IfMatch": self.etag})
        except EmrError as error:
            report(f"{self.uri} cannot be written: {error.what}")

    def _write(self, body: bytes, condition: dict[str, str]) -> bool:
        try:
            etag = put_if(self.aws, self.uri, body, kms_key=self.kms_key, **condition)
        except NotFound:
            if "IfMatch" in condition:
                return False
            raise
        etag = etag or _own(self.aws, self.uri, body)
        self.etag = etag or self.etag
        return etag is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """A claim as it is read; its age by S3's own clock, which is the same for all."""

    who: str
    made: str
    ended: bool
    age_s: float
    etag: str


def claim_uri(artifacts: str, region: str, name: str) -> str:
    """Where the claim on a thing of that name is: a run's id, or a cluster's and a run's key.

    Clusters are a region's own, and two regions may share their artifacts.
    """
    return f"{artifacts.rstrip('/')}/claims/{region}/{quote(name, safe='')}"


def once(
    aws: Aws,
    uri: str,
    *,
    look: Callable[[str], Made | None],
    make: Callable[[Callable[[], None]], Made],
    name_of: Callable[[Made], str],
    kms_key: str | None,
    pace: Pace,
    report: Report,
) -> Made:
    """What is there, or what one client makes; a client that comes second waits for the first.

    A claim is held for `pace.claim_s` after it was last renewed. One that is older, because its
    client was killed, is taken over: by writing it on the condition that it is still as it was read
    (`If-Match`), so that of two heirs, too, one wins. Costs two PutObject when something is made.

    Args:
        aws: the account and region.
        uri: the claim's address, from `claim_uri`.
        look: the thing if it is there; by its name if one is given, or else by AWS's lists.
        make: makes it; calls what it is given before each request that makes something.
        name_of: what the claim is to say of a thing that was made; `look` is given that.
        kms_key: the key to encrypt the claim with; the bucket's default when None.
        pace: how often a second client looks, and how long a claim holds.
        report: told of the waiting.

    Raises:
        AwsRefused: S3 does not let us read or write the claim; or whatever `make` raises.
        PackageDamaged: what is stored there is far too large for a claim.
    """
    there = look("")
    if there is not None:
        return there
    claim = Claim(aws=aws, uri=uri, kms_key=kms_key)
    while True:
        if not claim.take(IfNoneMatch="*"):
            seen = _read(aws, uri)
            there = look(seen.made) if seen and seen.made else None
            if there is not None:
                return there
            if seen is not None and not seen.ended and seen.age_s < pace.claim_s:
                report(f"{seen.who} is making it; waiting for that")
                pace.sleep(longest_s=5.0)
                continue
            if seen is None or not claim.take(IfMatch=seen.etag):
                continue
            # Whoever held it before may have made the thing, and died before it could say so.
            there = None if seen.ended else look("")
        if there is not None:
            claim.close(name_of(there), report)
            return there
        return _made(claim, make, name_of, report)


def _made(
    claim: Claim,
    make: Callable[[Callable[[], None]], Made],
    name_of: Callable[[Made], str],
    report: Report,
) -> Made:
    try:
        made = make(claim.renew)
    except EmrError as error:
        # Without an answer it stays, as it does after Ctrl-C: what was sent may show late, and the
        # next client is to wait for that. To be turned away is an answer: nothing was made.
        lost = isinstance(error, AwsUnreachable) and not throttled(error)
        if not (claim.sent and lost):
            claim.close("", report)
        raise
    claim.close(name_of(made), report)
    return made


def _text(*, made: str = "", ended: bool = False) -> bytes:
    """A claim's content; the nonce makes its ETag tell two claims apart."""
    return json.dumps(
        {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "made": made,
            "ended": ended,
            "nonce": secrets.token_hex(8),
        }
    ).encode()


def _own(aws: Aws, uri: str, body: bytes) -> str | None:
    """The ETag if what is there is this very text: its answer was lost, and botocore sent twice."""
    try:
        found, told = fetch_told(aws, uri)
    except NotFound:
        return None
    return str(told["ETag"]) if found == body else None


def _read(aws: Aws, uri: str) -> _Seen | None:
    try:
        found, told = fetch_told(aws, uri)
    except NotFound:
        return None
    said = _values(found)
    now = parsedate_to_datetime(told["ResponseMetadata"]["HTTPHeaders"]["date"])
    return _Seen(
        who=f"process {said.get('pid')} on {said.get('host')}, since {said.get('at')},",
        made=str(said.get("made", "")),
        ended=bool(said.get("ended")),
        age_s=(now - told["LastModified"]).total_seconds(),
        etag=told["ETag"],
    )


def _values(body: bytes) -> dict[str, Any]:
    try:
        values = json.loads(body)
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}
