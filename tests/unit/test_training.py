"""Metrics, plots and the making of estimators: against scikit-learn's own, without Spark."""

import struct

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as theirs
from sklearn.calibration import calibration_curve

from sparkml.errors import ConfigError, InputError
from sparkml.training.estimators import gradient_boosting, logistic_regression, seeded, unfitted
from sparkml.training.metrics import calibration, evaluate
from sparkml.training.plots import MOST_POINTS, PLOTS, SIZE_PX, draw_all


def drawn(rows=500, *, seed=0, ties=False):
    """Labels, and probabilities that know something about them."""
    rng = np.random.default_rng(seed)
    probability = rng.random(rows)
    actual = rng.random(rows) < probability**2
    return actual, np.round(probability, 1) if ties else probability


@pytest.mark.parametrize("ties", [False, True], ids=["distinct", "ties"])
@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 1.0])
def test_the_metrics_are_scikit_learn_s(ties, threshold):
    """All of them, at thresholds where a class is never predicted, too."""
    actual, probability = drawn(ties=ties)
    predicted = probability >= threshold

    found = evaluate(actual, probability, threshold=threshold)

    expected = {
        "rows": 500,
        "positives": actual.sum(),
        "threshold": threshold,
        "auc": theirs.roc_auc_score(actual, probability),
        "pr_auc": theirs.average_precision_score(actual, probability),
        "log_loss": theirs.log_loss(actual, probability),
        "brier": theirs.brier_score_loss(actual, probability),
        "accuracy": theirs.accuracy_score(actual, predicted),
        "precision": theirs.precision_score(actual, predicted, zero_division=0),
        "recall": theirs.recall_score(actual, predicted, zero_division=0),
        "f1": theirs.f1_score(actual, predicted, zero_division=0),
    }
    counts = theirs.confusion_matrix(actual, predicted, labels=[False, True]).ravel()
    names = ("true_negatives", "false_positives", "false_negatives", "true_positives")
    expected |= dict(zip(names, counts, strict=True))
    got = found.metrics()
    error = got.pop("calibration_error")
    assert 0 <= error <= 1
    assert got == pytest.approx(expected, rel=1e-12)


def test_auc_is_the_share_of_pairs_in_the_right_order():
    """By its definition: a positive and a negative row at a time, a tie counts half."""
    actual, probability = drawn(60, ties=True)
    gaps = probability[actual][:, None] - probability[~actual][None, :]
    expected = ((gaps > 0) + 0.5 * (gaps == 0)).mean()

    assert evaluate(actual, probability).auc == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("bins", [2, 10, 33])
def test_the_bins_are_scikit_learn_s(bins):
    """Mean and share of each bin that has rows; no row is lost; the edges have their places."""
    actual, probability = drawn()
    probability[:4] = [0.0, 1.0, 0.5, 0.1]

    table = calibration(actual, probability, bins=bins)

    share, mean = calibration_curve(actual, probability, n_bins=bins)
    filled = [b for b in table if b.rows]
    np.testing.assert_allclose([b.share for b in filled], share, rtol=1e-12)
    np.testing.assert_allclose([b.mean for b in filled], mean, rtol=1e-12)
    assert len(table) == bins
    assert len(actual) == sum(b.rows for b in table)


def test_the_calibration_error_tells_an_honest_model_from_a_boaster():
    """Near 0 where what is promised happens; the gap itself where it does not."""
    rng = np.random.default_rng(1)
    honest = rng.random(100_000)
    actual = rng.random(100_000) < honest

    assert evaluate(actual, honest).calibration_error < 0.01
    boaster = np.where(np.arange(100) % 2, 0.9, 0.1)
    never_so_sure = np.arange(100) % 4 > 1  # half of either side
    assert evaluate(never_so_sure, boaster).calibration_error == pytest.approx(0.4)


def test_an_empty_bin_has_no_mean():
    """Nothing is made up where there are no rows."""
    table = calibration(np.array([True, False]), np.array([0.95, 0.05]), bins=4)
    assert [(1, 0.05), (0, None), (0, None), (1, 0.95)] == [(b.rows, b.mean) for b in table]


def test_rows_of_one_label_cannot_be_measured():
    """An AUC of them would be a number without a meaning."""
    with pytest.raises(InputError, match=r"all 3 rows .* same label"):
        evaluate(np.ones(3, dtype=bool), np.array([0.1, 0.2, 0.3]))


@pytest.mark.parametrize("rows", [40, 3 * MOST_POINTS])
def test_the_plots_are_png_of_the_size_that_is_told(tmp_path, rows):
    """One file each; width and height from the PNG's own header; none is blank."""
    actual, probability = drawn(rows)

    files = draw_all(evaluate(actual, probability), actual, probability, tmp_path / "plots")

    assert [f"{name}.png" for name in PLOTS] == [file.name for file in files]
    for file in files:
        content = file.read_bytes()
        assert content[:8] == b"\x89PNG\r\n\x1a\n"
        assert SIZE_PX == struct.unpack(">II", content[16:24])
        assert len(content) > 5_000


@pytest.mark.parametrize("make", [logistic_regression, gradient_boosting])
def test_the_pipelines_take_texts_and_numbers_with_holes(make):
    """Unknown and missing categories, missing numbers: probabilities all the same."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"kind": rng.choice(["a", "b", np.nan], 200), "size": rng.random(200)})
    table["kind"] = table["kind"].replace("nan", np.nan).astype(object)
    table.loc[::7, "size"] = np.nan
    model = make().fit(table, np.where(table["size"] > 0.5, "yes", "no"))
    strange = pd.DataFrame({"kind": ["a", "c", np.nan], "size": [0.9, np.nan, 0.1]})

    chances = model.predict_proba(strange)

    assert model.classes_.tolist() == ["no", "yes"]
    assert chances[0, 1] > 0.5 > chances[2, 1]
    np.testing.assert_allclose(chances.sum(axis=1), 1.0)


def test_a_name_becomes_an_estimator_with_its_params():
    """A function of ours, and a class of the library itself."""
    ours = unfitted("sparkml.training.estimators:logistic_regression", {"C": 0.25})
    assert ours[-1].C == 0.25
    assert ours[-1].max_iter == 1_000
    theirs_ = unfitted("sklearn.ensemble:RandomForestClassifier", {"n_estimators": 3})
    assert theirs_.n_estimators == 3


@pytest.mark.parametrize(
    ("name", "params", "what", "fix"),
    [
        ("no_such_package.models:churn", {}, "cannot be imported: No module named", "PYTHONPATH"),
        ("sklearn.linear_model:LogisticRegresion", {}, "has no function", "'LogisticRegression'"),
        ("sklearn.linear_model:LogisticRegression", {"c": 1}, "cannot be called", "model.params"),
        ("builtins:dict", {}, "returns a dict, not an estimator", "unfitted"),
        ("sklearn.svm:LinearSVC", {}, "gives no probabilities", "CalibratedClassifierCV"),
    ],
)
def test_what_makes_no_classifier_is_refused(name, params, what, fix):
    """Before anything is read: where, what and the fix."""
    with pytest.raises(ConfigError) as caught:
        unfitted(name, params)

    assert what in caught.value.what
    assert f"model.estimator: {name}" == caught.value.where
    assert fix in caught.value.fix


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("def churn(:", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "SystemExit: 3"),
    ],
)
def test_a_module_that_raises_is_named(tmp_path, monkeypatch, text, what):
    """Whatever it raises: the key, the module, what it said."""
    name = f"broken_{what[:6].lower()}"
    (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(ConfigError) as caught:
        unfitted(f"{name}:churn", {})

    assert f"it cannot be imported: {what}" in caught.value.what
    assert f"model.estimator: {name}:churn" == caught.value.where


def test_a_seeded_pipeline_fits_the_same_again():
    """Early stopping draws its rows with the seed; one that the params set is left alone."""
    rng = np.random.default_rng(0)
    x = pd.DataFrame({"size": rng.random(300)})
    y = x["size"] + rng.random(300) > 1

    def chances(seed):
        model = seeded(gradient_boosting(early_stopping=True), seed)
        return model.fit(x, y).predict_proba(x)[:, 1]

    np.testing.assert_array_equal(chances(3), chances(3))
    assert (chances(3) != chances(4)).any()
    assert seeded(gradient_boosting(random_state=5), 3)[-1].random_state == 5
