"""`World`: all that an operation can reach, and the settings that the endpoint was made with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .execute import Runner
    from .faults import Faults
    from .logs import Shipper
    from .state import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How fast the endpoint lives, and what it really does."""

    pace: float = 0.2
    """Seconds that a transition takes: from STARTING to BOOTSTRAPPING, from there to RUNNING…"""
    idle_minute_s: float = 60.0
    """Seconds that a minute of an idle timeout takes."""
    log_delay_s: float = 0.3
    """How long after they are written logs come to S3."""
    log_interval_s: float = 0.3
    """How often a growing log is stored again."""
    grace_s: float = 5.0
    """Between SIGTERM and SIGKILL, when a step is cancelled."""
    page_size: int = 50
    """Entries of a listing's page."""
    bootstrap: bool = False
    """Whether bootstrap actions are fetched from S3 and run, once, for the primary node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What is remembered, what goes wrong, what runs and what stores logs."""

    settings: Settings
    store: Store
    faults: Faults
    runner: Runner
    shipper: Shipper
    s3: Any
    """A boto3 client of the S3 that scripts are fetched from and logs stored in."""
    logs: Any
    """A boto3 client of CloudWatch Logs."""

    def seen_until(self, operation: str) -> datetime:
        """What was made after that, this listing does not tell of."""
        stale = self.faults.take(["stale-lists"], operation)
        return datetime.now(UTC) - timedelta(seconds=stale.after_s if stale else 0.0)
