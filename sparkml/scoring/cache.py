"""The models that a process holds open: one bounded cache, keyed by what a model is."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from sparkml.models.read import open_predictor, open_verified
from sparkml.models.typed import refuse_open, typed
from sparkml.scoring.scorer import Scorer
from sparkml.scoring.threads import cap_threads

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pyarrow as pa

    from sparkml.spec import ModelSpec

CAPACITY = 32
"""More than a job scores in one pass, so that no model is let go and loaded again in each task."""
_open: OrderedDict[str, Scorer] = OrderedDict()


def load_scorer(
    spec: ModelSpec, folder: Path | None = None, *, schema: pa.Schema | None = None
) -> Scorer:
    """A live scorer for `spec`, its files verified and opened now.

    `folder` holds the model's files; by default they are in this host's cache, where `read_spec`
    put them. Runs wherever the model's library is installed. Costs one reading of the files for the
    digest and one load. `schema` is that of the batches to come, where the spec leaves a type open.

    Raises:
        SignatureUnknown: the spec leaves a type open, and there is no schema.
        DigestMismatch: the files are not those of the spec.
        ModelUnreadable: the library cannot open them.
    """
    if schema is not None:
        spec = typed(spec, schema)
    refuse_open(spec, fix="load_scorer(spec, schema=batch.schema)")
    return Scorer(spec, open_predictor(spec, folder))


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
    cap_threads(cores)
    scorer = Scorer(spec, open_verified(spec, locate(spec.digest)))
    cap_threads(cores)
    _open[key] = scorer
    while len(_open) > CAPACITY:
        _open.popitem(last=False)
    return scorer, True
