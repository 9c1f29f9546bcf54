"""`Pace`: how often we ask AWS, and how long we bear that it does not answer."""

from __future__ import annotations

import os
import random
import time
from dataclasses import dataclass

from sparkml.errors import ConfigError

POLL = "SPARKML_EMR_POLL_S"
"""The environment variable that sets the seconds between two polls, for tests and hurries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds between two looks, with jitter, so that many clients do not ask at once.

    AWS counts every call of an account: below 15 s, several waiting clients throttle each other.
    """

    poll_s: float = 20.0
    patience_s: float = 600.0
    """How long AWS may be out of reach while we wait, before we say so."""

    @property
    def lost_s(self) -> float:
        """How long what may have been made is looked for, before it is asked for once more.

        A minute, which AWS's lists need at times; less only in hurries below 3 s a poll.
        """
        return min(60.0, 20.0 * self.poll_s)

    @property
    def claim_s(self) -> float:
        """How long a claim holds that is not renewed: well beyond one request and one look."""
        return 5.0 * self.lost_s

    def sleep(self, *, longest_s: float = float("inf")) -> None:
        """Wait one poll: between 3/4 and 5/4 of it, never longer than `longest_s`."""
        # Not a secret: jitter only.
        jittered = self.poll_s * random.uniform(0.75, 1.25)  # noqa: S311
        time.sleep(max(0.0, min(jittered, longest_s)))


def pace() -> Pace:
    """The pace that the environment asks for, or every 20 s.

    Raises:
        ConfigError: the variable holds no number of seconds above zero.
    """
    said = os.environ.get(POLL)
    if said is None:
        return Pace()
    try:
        poll_s = float(said)
    except ValueError:
        poll_s = 0.0
    if not 0 < poll_s < 3_600:
        raise ConfigError(f"{said!r} is no number of seconds", where=f"environment {POLL}")
    return Pace(poll_s=poll_s)
