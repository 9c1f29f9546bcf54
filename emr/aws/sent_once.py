"""`sent_once`: a request without a client token, sent until it is answered, and done once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from emr.aws.client import throttled, translated
from emr.errors import AwsUnreachable, EmrError

if TYPE_CHECKING:
    from collections.abc import Callable

    from emr.aws.pace import Pace
    from emr.aws.waiting import Report

SENDS = 6
"""How often a request without an answer is sent, with a look between two, before we give up."""


def sent_once(
    send: Callable[[], str],
    look: Callable[[], str | None],
    *,
    what: str,
    renew: Callable[[], None],
    pace: Pace,
    report: Report,
) -> str:
    """The id of the one thing that a request makes, however often its answer is lost.

    botocore's own retry of a lost answer would make a second one, so `send` sends without retries.
    What was throttled was not taken, and is sent again soon; what may have been taken is looked for
    during `pace.lost_s` first, because a new thing may come late into the lists.

    Args:
        send: sends the request; the id that is its answer.
        look: looks once for what it may have made.
        what: the operation.
        renew: called before every sending; what it raises stops us.
        pace: how long to look.
        report: told of every lost answer.

    Raises:
        AwsRefused: AWS refuses the request: nothing was made.
        AwsUnreachable: it turned the request away six times over (`throttled`), and nothing was
            made; or an answer was lost, and what came of it cannot be known.
    """
    doubt: AwsUnreachable | None = None
    try:
        for attempt in range(SENDS):
            renew()
            try:
                with translated():
                    return send()
            except AwsUnreachable as error:
                lost = error
            if throttled(lost):
                report(f"{what} has no answer ({lost.what}); sending it again")
                time.sleep(min(pace.poll_s, 2.0**attempt))
                continue
            doubt = lost
            for_s = f"{pace.lost_s:.0f} s"
            report(f"{what} has no answer ({lost.what}); looking for {for_s} for what it made")
            found = _sought(look, pace)
            if found is not None:
                return found
    except EmrError as error:
        if doubt is None:
            raise
        # S3 may have turned away the renewing: the text must not end as if the request was.
        told = f"{what} had no answer, and then: {error.what}; what it made is not known"
        raise AwsUnreachable(told, where=error.where, fix=error.fix) from error
    raise doubt or lost


def _sought(look: Callable[[], str | None], pace: Pace) -> str | None:
    """What `look` finds within `pace.lost_s`; None when the request may be sent again."""
    until = time.monotonic() + pace.lost_s
    while True:
        try:
            found = look()
        except AwsUnreachable:
            found = None  # the network that lost the answer is still down
        if found is not None or time.monotonic() >= until:
            return found
        pace.sleep(longest_s=min(5.0, max(0.0, until - time.monotonic())))
