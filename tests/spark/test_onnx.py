"""ONNX models through `score()`: images out of an array column, and a model that MLflow logged."""

from __future__ import annotations

import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression

from sparkml import read_spec, score
from tests.graphs import image_model
from tests.models import table

pytestmark = pytest.mark.spark


def native(model, **feed):
    """What ONNX Runtime itself gives for the feed."""
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, feed)


def test_images_in_an_array_column_are_scored_and_a_wrong_one_is_set_aside(spark, tmp_path):
    """Arrays of doubles become 3×8×8 pixels on the workers; one of 100 numbers is no image."""
    model = image_model()
    onnx.save_model(model, tmp_path / "image.onnx")
    spec = read_spec(str(tmp_path / "image.onnx"))
    images = np.random.default_rng(1).normal(size=(20, 192))
    rows = [(i, image.tolist()) for i, image in enumerate(images)] + [(20, [0.0] * 100)]
    df = spark.createDataFrame(rows, "id long, image array<double>")

    scored = {r.id: r for r in score(df, spec, key="id", keep=[]).collect()}

    (expected,) = native(model, image=images.astype(np.float32).reshape(-1, 3, 8, 8))
    got = [scored[i].image.scores for i in range(20)]
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)  # float32, another batch
    assert [20] == [i for i, r in scored.items() if r.error]
    assert "takes 3×8×8 values a row, there are [100]" in scored[20].error.message


def test_a_model_logged_with_mlflow_is_scored_by_onnx_runtime(spark, tmp_path):
    """Its columns are those of the signature, its outputs label and probability."""
    with warnings.catch_warnings():  # how MLflow saves a model is not what is tested
        warnings.simplefilter("ignore")
        import mlflow.onnx
        from mlflow.models import infer_signature

        x = table(80)
        labels = np.where(x["a"] > x["b"], "more", "less")
        fitted = LogisticRegression().fit(x.to_numpy(dtype=np.float32), labels)
        model = to_onnx(fitted, x.to_numpy(dtype=np.float32)[:1])
        signature = infer_signature(x)
        mlflow.onnx.save_model(
            model, tmp_path / "m", signature=signature, pip_requirements=["onnxruntime"]
        )
    spec = read_spec(str(tmp_path / "m"), name="m")

    rows = score(spark.createDataFrame(x), spec).collect()

    assert "onnx" == spec.flavor
    assert ("a", "b") == spec.signature.names
    labels, chances = native(model, X=x.to_numpy(dtype=np.float32))
    assert list(labels) == [r.m.prediction for r in rows]
    expected = [[c["less"], c["more"]] for c in chances]
    np.testing.assert_allclose([r.m.probability for r in rows], expected, rtol=0, atol=1e-6)
