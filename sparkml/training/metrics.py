"""How good the probabilities of a binary classifier are: metrics, calibration, confusion matrix."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sparkml.errors import InputError
from sparkml.models.extras import need

Labels = npt.NDArray[np.bool_]
Probabilities = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """The rows whose probability lies in `(low, high]` (the first bin holds 0 as well).

    `mean` is the mean of their probabilities, `share` the share of them that are positive; both
    are None where there are no rows. A calibrated model has the two alike.
    """

    low: float
    high: float
    rows: int
    mean: float | None
    share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """Rows by what they are (positive, negative) and by whether the prediction says so."""

    true_positives: int
    false_positives: int
    true_negatives: int
    false_negatives: int

    @property
    def accuracy(self) -> float:
        """The share of rows that are predicted rightly."""
        rows = sum(asdict(self).values())
        return _share(self.true_positives + self.true_negatives, rows)

    @property
    def precision(self) -> float:
        """The share of rows predicted positive that are; 0 where none is predicted."""
        return _share(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """The share of positive rows that are predicted so."""
        return _share(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall; 0 where both are."""
        wrong = self.false_positives + self.false_negatives
        return _share(2 * self.true_positives, 2 * self.true_positives + wrong)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What a classifier is worth on rows that it has not seen.

    `auc` is the area under the ROC curve, `pr_auc` the average precision, `log_loss` and `brier`
    the mean negative log-likelihood and the mean squared error of the probabilities, and
    `calibration_error` the mean of `|mean - share|` over the rows' bins (the expected calibration
    error of Naeini, Cooper and Hauskrecht, 2015).
    """

    rows: int
    positives: int
    threshold: float
    auc: float
    pr_auc: float
    log_loss: float
    brier: float
    calibration_error: float
    confusion: Confusion
    calibration: tuple[Bin, ...]

    def metrics(self) -> dict[str, float]:
        """Every number under its name, as a tracking server takes them."""
        plain = {k: v for k, v in asdict(self).items() if isinstance(v, int | float)}
        rates = {k: getattr(self.confusion, k) for k in ("accuracy", "precision", "recall", "f1")}
        return {k: float(v) for k, v in {**plain, **rates, **asdict(self.confusion)}.items()}

    def to_json(self) -> dict[str, Any]:
        """The numbers, and the calibration's table."""
        return {**self.metrics(), "calibration": [asdict(b) for b in self.calibration]}


def evaluate(
    actual: Labels, probability: Probabilities, *, threshold: float = 0.5, bins: int = 10
) -> Evaluation:
    """The metrics of the probabilities that rows are positive, against what they are.

    Runs on the driver; sorts the rows once or twice. `probability` is within 0 to 1 and holds no
    NaN. A row is predicted positive from `threshold` on.

    Raises:
        InputError: not both labels are among the rows: most metrics mean nothing then.
        ExtraMissing: scikit-learn is not installed.
    """
    metrics = need("sklearn.metrics", extra="train", why="measuring a model")
    positives = int(actual.sum())
    if positives in (0, len(actual)):
        raise InputError(
            f"all {len(actual)} rows that the model is measured with have the same label",
            where="label",
            fix="hold out more rows: a smaller split.train",
        )
    table = calibration(actual, probability, bins=bins)
    return Evaluation(
        rows=len(actual),
        positives=positives,
        threshold=threshold,
        auc=float(metrics.roc_auc_score(actual, probability)),
        pr_auc=float(metrics.average_precision_score(actual, probability)),
        log_loss=float(metrics.log_loss(actual, probability)),
        brier=float(np.mean((probability - actual) ** 2)),
        calibration_error=_expected_error(table),
        confusion=confusion(actual, probability >= threshold),
        calibration=table,
    )


def confusion(actual: Labels, predicted: Labels) -> Confusion:
    """The four counts of a binary prediction."""
    return Confusion(
        true_positives=int((actual & predicted).sum()),
        false_positives=int((~actual & predicted).sum()),
        true_negatives=int((~actual & ~predicted).sum()),
        false_negatives=int((actual & ~predicted).sum()),
    )


def calibration(actual: Labels, probability: Probabilities, *, bins: int) -> tuple[Bin, ...]:
    """What was promised and what happened, in bins of equal width."""
    edges = np.linspace(0.0, 1.0, bins + 1)
    at = np.searchsorted(edges[1:-1], probability)
    rows = np.bincount(at, minlength=bins)
    promised = np.bincount(at, weights=probability, minlength=bins)
    happened = np.bincount(at, weights=actual, minlength=bins)
    return tuple(
        Bin(
            low=float(edges[i]),
            high=float(edges[i + 1]),
            rows=int(rows[i]),
            mean=float(promised[i] / rows[i]) if rows[i] else None,
            share=float(happened[i] / rows[i]) if rows[i] else None,
        )
        for i in range(bins)
    )


def _expected_error(table: tuple[Bin, ...]) -> float:
    rows = sum(b.rows for b in table)
    gaps = (
        b.rows * abs(b.mean - b.share) for b in table if b.mean is not None and b.share is not None
    )
    return sum(gaps) / rows


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
