"""What a sink stored, and the limit that decides whether it may."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sparkml.errors import QuarantineLimit
from sparkml.files import scheme_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a run stored; `files` and `table_version` where the sink knows them."""

    rows: int
    quarantined: int
    files: int | None = None
    table_version: int | None = None


def check_quarantine(written: Written, limit: float, *, where: str, fate: str) -> None:
    """Refuse a run in which a larger share of the rows than `limit` could not be scored.

    Raises:
        QuarantineLimit: it is larger; `fate` says what became of the rows.
    """
    if written.rows and written.quarantined / written.rows > limit:
        share = written.quarantined / written.rows
        raise QuarantineLimit(
            f"{written.quarantined:,} of {written.rows:,} rows ({share:.2%}) could not be scored, "
            f"max_quarantine is {limit:.2%}; {fate}",
            where=where,
            fix="raise max_quarantine to store them with their errors and look, or mend the source",
        )


def absolute(address: str) -> str:
    """A local path made absolute; an address with a scheme as it is."""
    return address if scheme_of(address) else str(Path(address).absolute())


def app_id(run_key: str) -> str:
    """The name under which Delta's log remembers a run."""
    return f"sparkml:{run_key}"
