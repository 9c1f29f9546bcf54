"""Label and probability in one pass, by the library's own two methods.

`predict` and `predict_proba` of a classifier often share their costly step: both call the same
method of their own on the same `X`. For the classes of `ONE_PASS` that method's result is kept
between the two calls, so that it runs once, and everything after it (which comparison makes the
label, how a score becomes a probability, how ties fall) is scikit-learn's own code.

A wrong row here would cost a second pass, never a wrong label: a kept result is handed out only
for the very same `X`. `SVC` has no row: its `predict` counts votes, its probabilities come from
another model, and they disagree.
"""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ONE_PASS: Mapping[str, tuple[str, ...]] = {
    # predict takes the argmax of predict_proba
    "sklearn.calibration.CalibratedClassifierCV": ("predict_proba",),
    "sklearn.ensemble.BaggingClassifier": ("predict_proba",),
    "sklearn.ensemble.ExtraTreesClassifier": ("predict_proba",),
    "sklearn.ensemble.RandomForestClassifier": ("predict_proba",),
    "sklearn.ensemble.VotingClassifier": ("predict_proba",),
    "sklearn.neighbors.RadiusNeighborsClassifier": ("predict_proba",),
    "sklearn.semi_supervised.LabelPropagation": ("predict_proba",),
    "sklearn.semi_supervised.LabelSpreading": ("predict_proba",),
    # both start from the decision function: its sign or argmax, and its link or softmax
    "sklearn.discriminant_analysis.LinearDiscriminantAnalysis": ("decision_function",),
    "sklearn.ensemble.AdaBoostClassifier": ("decision_function",),
    "sklearn.ensemble.GradientBoostingClassifier": ("decision_function",),
    "sklearn.linear_model.LogisticRegression": ("decision_function",),
    "sklearn.linear_model.LogisticRegressionCV": ("decision_function",),
    "sklearn.linear_model.SGDClassifier": ("decision_function",),
    # the same step under another name
    "sklearn.discriminant_analysis.QuadraticDiscriminantAnalysis": ("_decision_function",),
    "sklearn.ensemble.HistGradientBoostingClassifier": ("_raw_predict",),
    "sklearn.ensemble.StackingClassifier": ("transform",),
    "sklearn.naive_bayes.ComplementNB": ("_joint_log_likelihood",),
    "sklearn.naive_bayes.GaussianNB": ("_joint_log_likelihood",),
    "sklearn.naive_bayes.MultinomialNB": ("_joint_log_likelihood",),
    "sklearn.neural_network.MLPClassifier": ("_forward_pass_fast",),
    # brute force goes by predict_proba, trees by the neighbours
    "sklearn.neighbors.KNeighborsClassifier": ("predict_proba", "kneighbors"),
}
"""Class, exactly → the methods that both `predict` and `predict_proba` call on the same `X`."""

ARGMAX = frozenset({"sklearn.tree.DecisionTreeClassifier", "sklearn.tree.ExtraTreeClassifier"})
"""Classes whose `predict` takes the argmax of the very array that `predict_proba` returns."""


def both_of(estimator: Any) -> Callable[..., tuple[Any, Any]]:
    """A function from `X` to what the estimator's `predict` and `predict_proba` return for it.

    Changes the estimator: the shared methods of a class in `ONE_PASS` are replaced on this object.
    """
    name = public_name(type(estimator))
    if name in ARGMAX:
        return lambda x: _argmax_of(estimator, x)
    shared = [_Once(getattr(estimator, m)) for m in ONE_PASS.get(name, ()) if hasattr(estimator, m)]
    for once in shared:
        setattr(estimator, once.name, once)

    def both(x: Any, **more: Any) -> tuple[Any, Any]:
        try:
            return estimator.predict(x, **more), estimator.predict_proba(x, **more)
        finally:
            for once in shared:
                once.forget()

    return both


def public_name(kind: type) -> str:
    """A scikit-learn class by its public name, `sklearn.ensemble.RandomForestClassifier`.

    Empty for every other class, subclasses of scikit-learn's among them.
    """
    parts = kind.__module__.split(".")
    if parts[0] != "sklearn":
        return ""
    public = ".".join(part for part in parts if not part.startswith("_"))
    for module in (public, ".".join(parts[:2])):
        if getattr(sys.modules.get(module), kind.__name__, None) is kind:
            return f"{module}.{kind.__name__}"
    return ""


class _Once:
    """A bound method whose result is kept for one more call with the same arguments."""

    def __init__(self, method: Callable[..., Any]) -> None:
        self.name = method.__name__
        self._method = method
        _, *options = inspect.signature(method).parameters.values()
        self._defaults = {p.name: p.default for p in options if p.default is not p.empty}
        self._x: Any = None
        self._options: dict[str, Any] = {}
        self._kept: Any = None

    def __call__(self, x: Any, **options: Any) -> Any:
        options = self._defaults | options
        if self._x is x and self._options == options:
            kept = self._kept
            self.forget()  # the caller may write into it
            return kept
        self._kept = self._method(x, **options)
        self._x, self._options = x, options
        return self._kept

    def forget(self) -> None:
        """Let the result go."""
        self._x = self._kept = None


def _argmax_of(tree: Any, x: Any) -> tuple[Any, Any]:
    probabilities = tree.predict_proba(x)
    if not isinstance(probabilities, list):
        return tree.classes_.take(np.argmax(probabilities, axis=1), axis=0), probabilities
    labels = np.zeros((len(x), len(probabilities)), dtype=tree.classes_[0].dtype)
    for output, of_output in enumerate(probabilities):
        labels[:, output] = tree.classes_[output].take(np.argmax(of_output, axis=1), axis=0)
    return labels, probabilities
