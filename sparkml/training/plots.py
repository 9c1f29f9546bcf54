"""What a classifier is worth, drawn: ROC, precision and recall, calibration, confusion, scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sparkml.errors import InputError, did_you_mean
from sparkml.models.extras import need

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matplotlib.figure import Figure

    from sparkml.training.metrics import Evaluation, Labels, Probabilities

SIZE_PX = (800, 600)
MOST_POINTS = 2_000
"""A line of more points looks the same and takes longer to draw."""

BLUE, ORANGE, GREY = "#1f5fa8", "#d9731a", "#8a8a8a"
DPI = 100


def draw(name: str, evaluation: Evaluation, actual: Labels, probability: Probabilities) -> Figure:
    """One of `PLOTS`, as a figure of `SIZE_PX`; in a notebook, a cell's last line shows it.

    Runs on the driver, without a display: matplotlib's global state stays as it is.

    Raises:
        ExtraMissing: matplotlib or scikit-learn is not installed.
        InputError: there is no such plot.
    """
    if name not in PLOTS:
        raise InputError(f"no plot '{name}'", where="draw", fix=did_you_mean(name, PLOTS))
    figures = need("matplotlib.figure", extra="train", why="drawing a plot")
    inches = (SIZE_PX[0] / DPI, SIZE_PX[1] / DPI)
    figure: Figure = figures.Figure(figsize=inches, dpi=DPI, layout="constrained")
    PLOTS[name](figure.add_subplot(), evaluation, actual, probability)
    return figure


def draw_all(
    evaluation: Evaluation, actual: Labels, probability: Probabilities, folder: Path
) -> list[Path]:
    """Draw each plot of `PLOTS` as a PNG in `folder`; gives the files. See `draw`."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name in PLOTS:
        files.append(folder / f"{name}.png")
        draw(name, evaluation, actual, probability).savefig(files[-1])
    return files


def _roc(axes: Any, found: Evaluation, actual: Labels, probability: Probabilities) -> None:
    metrics = need("sklearn.metrics", extra="train", why="drawing a ROC curve")
    false_rate, true_rate, _ = metrics.roc_curve(actual, probability)
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", label="chance")
    axes.plot(*_thinned(false_rate, true_rate), color=BLUE, label=f"AUC {found.auc:.4f}")
    _labelled(axes, "ROC curve", "false positive rate", "true positive rate")


def _precision_recall(
    axes: Any, found: Evaluation, actual: Labels, probability: Probabilities
) -> None:
    metrics = need("sklearn.metrics", extra="train", why="drawing precision and recall")
    precision, recall, _ = metrics.precision_recall_curve(actual, probability)
    rate = found.positives / found.rows
    axes.axhline(rate, color=GREY, linestyle="--", label=f"chance {rate:.4f}")
    told = f"average precision {found.pr_auc:.4f}"
    axes.plot(*_thinned(recall, precision), color=BLUE, drawstyle="steps-post", label=told)
    axes.set_ylim(0, 1.02)
    _labelled(axes, "Precision and recall", "recall", "precision")


def _calibration(axes: Any, found: Evaluation, _actual: Labels, _p: Probabilities) -> None:
    filled = [b for b in found.calibration if b.rows]
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", label="as promised")
    told = f"Brier {found.brier:.4f}, calibration error {found.calibration_error:.4f}"
    axes.plot([b.mean for b in filled], [b.share for b in filled], "o-", color=BLUE, label=told)
    for b in filled:
        axes.annotate(f"{b.rows:,}", (b.mean, b.share), (4, -12), textcoords="offset points")
    _labelled(axes, "Calibration (rows in each bin)", "mean probability", "share of positives")


def _confusion(axes: Any, found: Evaluation, _actual: Labels, _p: Probabilities) -> None:
    c = found.confusion
    counts = np.array(
        [[c.true_negatives, c.false_positives], [c.false_negatives, c.true_positives]]
    )
    axes.imshow(counts, cmap="Blues")
    for (row, column), count in np.ndenumerate(counts):
        dark = count > counts.max() / 2
        colour = "white" if dark else "black"
        axes.text(column, row, f"{count:,}", ha="center", va="center", fontsize=18, color=colour)
    axes.set_xticks([0, 1], ["negative", "positive"])
    axes.set_yticks([0, 1], ["negative", "positive"])
    axes.set_title(f"Confusion matrix, positive from {found.threshold:g}")
    axes.set_xlabel("predicted")
    axes.set_ylabel("actual")


def _scores(axes: Any, found: Evaluation, actual: Labels, probability: Probabilities) -> None:
    edges = np.linspace(0.0, 1.0, 51)
    for kind, rows, colour in (("negative", ~actual, BLUE), ("positive", actual, ORANGE)):
        told = f"{kind}: {int(rows.sum()):,} rows"
        axes.hist(probability[rows], edges, density=True, alpha=0.55, color=colour, label=told)
    axes.axvline(found.threshold, color=GREY, linestyle="--", label="threshold")
    _labelled(axes, "Probabilities by label", "probability", "density")


PLOTS: dict[str, Callable[[Any, Evaluation, Labels, Probabilities], None]] = {
    "roc": _roc,
    "precision_recall": _precision_recall,
    "calibration": _calibration,
    "confusion_matrix": _confusion,
    "scores": _scores,
}
"""File name -> what draws it."""


def _thinned(*lines: Any) -> list[Any]:
    """The lines at `MOST_POINTS` evenly spaced points, their ends included."""
    points = len(lines[0])
    at = np.unique(np.linspace(0, points - 1, min(points, MOST_POINTS)).astype(int))
    return [line[at] for line in lines]


def _labelled(axes: Any, title: str, x: str, y: str) -> None:
    axes.set_title(title)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.25)
    axes.legend(loc="best")
