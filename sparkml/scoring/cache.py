"""The models that a process holds open: one bounded cache, keyed by what a model is."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from sparkml.models.read import open_predictor, open_verified
from sparkml.scoring.late import LateScorer
from sparkml.scoring.scorer import Scorer
from sparkml.scoring.threads import cap_threads

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sparkml.models.base import Predictor
    from sparkml.spec import ModelSpec

CAPACITY = 32
"""More than a job scores in one pass, so that no model is let go and loaded again in each task."""
_open: OrderedDict[str, Scorer] = OrderedDict()


def load_scorer(spec: ModelSpec, folder: Path | None = None) -> Scorer:
    """A live scorer for `spec`, its files verified and opened now.

    `folder` holds the model's files; by default they are in this host's cache, where `read_spec`
    put them. Runs wherever the model's library is installed. Costs one reading of the files for the
    digest and one load. Where the spec leaves a type open, that is done at the first batch.

    Raises:
        DigestMismatch: the files are not those of the spec.
        ModelUnreadable: the library cannot open them.
    """
    return _scorer(spec, lambda known: open_predictor(known, folder))


def _scorer(spec: ModelSpec, opened: Callable[[ModelSpec], Predictor]) -> Scorer:
    if spec.signature.open:
        return LateScorer(spec, opened)
    return Scorer(spec, opened(spec))


def cached_scorer(
    spec: ModelSpec, *, cores: int, locate: Callable[[str], Path]
) -> tuple[Scorer, bool]:
    """The scorer of `spec` in this process, and whether it was loaded just now.

    `locate` gives the folder of a digest's files, verified. The least recently used of more than
    `CAPACITY` models is let go.
    """
    key = spec.to_json()
    if key in _open:
        _open.move_to_end(key)
        return _open[key], False
    folder = locate(spec.digest)

    def opened(known: ModelSpec) -> Predictor:
        cap_threads(cores)
        predictor = open_verified(known, folder)
        cap_threads(cores)
        return predictor

    _open[key] = scorer = _scorer(spec, opened)
    while len(_open) > CAPACITY:
        _open.popitem(last=False)
    return scorer, True
