"""Models as scikit-learn's own documentation builds them: stored by skops, opened under `never`."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import skops.io
from sklearn import (
    preprocessing,
)
from sklearn.experimental import enable_halving_search_cv, enable_iterative_imputer  # noqa: F401
from sklearn.utils import all_estimators
from sklearn.utils._test_common.instance_generator import _construct_instances

from sparkml.errors import UntrustedModel
from sparkml.models.flavors.sklearn_arrays import check_arrays
from sparkml.models.read import open_predictor, read_spec
from sparkml.models.skops_file import check_skops
from sparkml.spec import Field, Signature
from tests.documented_models import DOCUMENTED, LABELS, NUMBERS, make

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def fitted():
    """Each model, fitted once."""
    kept: dict[str, Any] = {}

    def fit(title: str) -> tuple[Any, Any]:
        model, x, y = DOCUMENTED[title]
        if title not in kept:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                kept[title] = model.fit(x, y)
        return kept[title], x

    return fit


def batch_of(x: Any) -> tuple[pa.RecordBatch, Signature | None]:
    """What a model was fitted on, as a batch, and the inputs where they are of mixed types."""
    if isinstance(x, pd.DataFrame):
        plain = x.astype({c: object for c in x if x[c].dtype.name == "category"})
        batch = pa.RecordBatch.from_pandas(plain, preserve_index=False)
        inputs = tuple(Field(name=f.name, type=str(f.type)) for f in batch.schema)
        return batch, Signature(inputs=inputs)
    if x.ndim == 1:
        return pa.RecordBatch.from_pydict({"text": x.tolist()}), None
    column = Field(name="features", type="list<double>", length=x.shape[1])
    return pa.RecordBatch.from_pydict({"features": list(x)}), Signature(inputs=(column,))


def check_scores(path: Path, model: Any, x: Any) -> None:
    batch, signature = batch_of(x)
    spec = read_spec(str(path), trust="never", signature=signature, environment="ignore")
    predictor = open_predictor(spec)
    batch = batch.rename_columns([f.name for f in spec.signature.inputs])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made, wanted = predictor.predict(batch)[0].to_pylist(), model.predict(x)
    if np.asarray(wanted).dtype.kind == "f":
        np.testing.assert_allclose(made, wanted, rtol=1e-9)
    else:
        np.testing.assert_array_equal(made, wanted)


@pytest.mark.parametrize("title", DOCUMENTED)
def test_a_documented_model_is_opened_and_gives_its_own_numbers(title, fitted, tmp_path):
    """Under `never`, from a file that skops wrote."""
    model, x = fitted(title)
    skops.io.dump(model, tmp_path / "m.skops")
    check_scores(tmp_path / "m.skops", model, x)


@pytest.mark.parametrize(
    "title", ["splines", "grid search over a pipeline", "stacking", "gaussian process", "texts"]
)
def test_a_documented_model_that_mlflow_stored_is_opened(title, fitted, tmp_path):
    """MLflow wants the types that it is to trust; we look at none of them."""
    import mlflow

    model, x = fitted(title)
    types = skops.io.get_untrusted_types(data=skops.io.dumps(model))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow.sklearn.save_model(
            model,
            tmp_path / "m",
            serialization_format="skops",
            skops_trusted_types=types,
            pip_requirements=["scikit-learn"],
        )
    check_scores(tmp_path / "m", model, x)


FORMS = (
    (NUMBERS, LABELS),
    (NUMBERS, np.column_stack([LABELS, LABELS])),
    (LABELS.astype(float), LABELS),
    (["one two", "two three"] * 45, LABELS),
    ([{"a": 1, "b": 2}] * 90, LABELS),
    (NUMBERS[:, :1] @ NUMBERS[:, :1].T, LABELS),
    (NUMBERS, NUMBERS.sum(axis=1) + 1),
    (LABELS,),
    ([[0, 1], [1]] * 45,),
)
"""What one estimator or another is fitted on."""

UNFITTED = {"FrozenEstimator", "SparseCoder"}
NOT_STORED = {"Birch"}
"""What takes no such data; what skops itself cannot store."""


@pytest.mark.parametrize("name", [name for name, _ in all_estimators() if name not in UNFITTED])
def test_every_estimator_of_scikit_learn_is_restored(name):
    """With its default arguments: names, attributes and arrays pass, and it is put together."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for estimator in _construct_instances(dict(all_estimators())[name]):
            assert any(fits(estimator, form) for form in FORMS), "it was never fitted"
            if name in NOT_STORED:
                continue
            data = bytes(skops.io.dumps(estimator))
            names = check_skops(io.BytesIO(data), where=name)
            restored = skops.io.loads(data, trusted=names)
            check_arrays(restored, where=name)
            assert type(restored) is type(estimator)


def fits(estimator: Any, form: tuple[Any, ...]) -> bool:
    try:
        estimator.fit(*form)
    except Exception:  # noqa: BLE001 -- it wants other data
        return False
    return True


def test_lightgbm_s_wrapper_is_opened_and_what_it_would_call_is_not(tmp_path):
    """Its text is checked by itself; an objective of somebody's own is refused."""
    lightgbm = pytest.importorskip("lightgbm")
    model = make(
        preprocessing.StandardScaler(), lightgbm.LGBMClassifier(n_estimators=3, verbose=-1)
    ).fit(NUMBERS, LABELS)
    skops.io.dump(model, tmp_path / "m.skops")
    check_scores(tmp_path / "m.skops", model, NUMBERS)
    model.steps[-1][1]._objective = np.load
    skops.io.dump(model, tmp_path / "n.skops")
    with pytest.raises(UntrustedModel, match=r"numpy\.load"):
        read_spec(str(tmp_path / "n.skops"))
