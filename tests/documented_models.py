"""Models as scikit-learn's user guide builds them, each with what it is fitted on."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from sklearn import (
    calibration,
    cluster,
    compose,
    covariance,
    decomposition,
    discriminant_analysis,
    ensemble,
    feature_extraction,
    feature_selection,
    frozen,
    gaussian_process,
    impute,
    isotonic,
    kernel_approximation,
    kernel_ridge,
    linear_model,
    metrics,
    mixture,
    model_selection,
    multiclass,
    multioutput,
    naive_bayes,
    neighbors,
    neural_network,
    pipeline,
    preprocessing,
    random_projection,
    semi_supervised,
    svm,
    tree,
)
from sklearn.datasets import make_classification
from sklearn.experimental import enable_halving_search_cv, enable_iterative_imputer  # noqa: F401
from sklearn.gaussian_process import kernels

NUMBERS, LABELS = make_classification(90, 4, n_informative=4, n_redundant=0, random_state=0)
NUMBERS = np.abs(NUMBERS)
TARGET = NUMBERS @ np.array([1.0, -2.0, 0.5, 0.0]) + 10
THREE = (NUMBERS[:, 0] * 3).astype(int) % 3
TEXTS = np.array(
    [f"a {'good' if label else 'bad'} story, of {i % 7}" for i, label in enumerate(LABELS)]
)
TABLE = pd.DataFrame(NUMBERS[:, :2], columns=["age", "fare"]).assign(
    sex=np.where(LABELS, "male", "female"), city=np.array(["a", "b", "c"])[THREE]
)

make = pipeline.make_pipeline
classify = partial(linear_model.LogisticRegression, max_iter=1000)
by_type = compose.make_column_selector


def tabled(*steps: Any) -> Any:
    """Columns prepared by their types, as in "Column Transformer with Mixed Types"."""
    prepare = compose.make_column_transformer(
        (
            make(impute.SimpleImputer(strategy="median"), preprocessing.StandardScaler()),
            by_type(dtype_include="number"),
        ),
        (preprocessing.OneHotEncoder(handle_unknown="ignore"), by_type(dtype_include=object)),
    )
    return make(prepare, *steps)


DOCUMENTED: dict[str, tuple[Any, Any, Any]] = {
    "column transformer with mixed types": (tabled(classify()), TABLE, LABELS),
    "column transformer by name": (
        make(
            compose.ColumnTransformer(
                [
                    ("categories", preprocessing.OneHotEncoder(), ["sex", "city"]),
                    ("rest", preprocessing.KBinsDiscretizer(3), ["fare"]),
                ],
                remainder="passthrough",
            ),
            tree.DecisionTreeClassifier(max_depth=3),
        ),
        TABLE,
        LABELS,
    ),
    "grid search over a pipeline": (
        model_selection.GridSearchCV(
            tabled(classify()),
            {"logisticregression__C": [0.1, 1.0]},
            cv=2,
            scoring=metrics.make_scorer(metrics.fbeta_score, beta=2),
        ),
        TABLE,
        LABELS,
    ),
    "randomized search": (
        model_selection.RandomizedSearchCV(
            svm.SVC(), {"C": [0.1, 1, 10]}, n_iter=2, random_state=0, cv=2
        ),
        NUMBERS,
        THREE,
    ),
    "halving search": (
        model_selection.HalvingGridSearchCV(
            ensemble.RandomForestClassifier(5), {"max_depth": [2, 3]}, cv=2, random_state=0
        ),
        NUMBERS,
        LABELS,
    ),
    "function transformer": (
        make(preprocessing.FunctionTransformer(np.log1p, validate=True), classify()),
        NUMBERS,
        LABELS,
    ),
    "function transformer with its inverse": (
        make(
            preprocessing.FunctionTransformer(
                np.log1p, inverse_func=np.expm1, feature_names_out="one-to-one"
            ),
            linear_model.Ridge(),
        ),
        NUMBERS,
        TARGET,
    ),
    "function transformer with arguments": (
        make(
            preprocessing.FunctionTransformer(np.clip, kw_args={"a_min": 0, "a_max": 2}),
            linear_model.Ridge(),
        ),
        NUMBERS,
        TARGET,
    ),
    "splines": (
        make(preprocessing.SplineTransformer(n_knots=4, degree=3), linear_model.Ridge(alpha=1e-3)),
        NUMBERS,
        TARGET,
    ),
    "periodic splines": (
        make(
            preprocessing.SplineTransformer(n_knots=5, extrapolation="periodic"),
            linear_model.RidgeCV(),
        ),
        NUMBERS,
        TARGET,
    ),
    "polynomials": (
        make(preprocessing.PolynomialFeatures(2), linear_model.LinearRegression()),
        NUMBERS,
        TARGET,
    ),
    "bins": (
        make(
            preprocessing.KBinsDiscretizer(
                4, encode="onehot", quantile_method="averaged_inverted_cdf"
            ),
            linear_model.LinearRegression(),
        ),
        NUMBERS,
        TARGET,
    ),
    "quantiles": (
        make(preprocessing.QuantileTransformer(n_quantiles=20), classify()),
        NUMBERS,
        LABELS,
    ),
    "power": (make(preprocessing.PowerTransformer(), classify()), NUMBERS, LABELS),
    "nystroem": (
        make(
            kernel_approximation.Nystroem(n_components=20, random_state=0),
            linear_model.SGDClassifier(random_state=0),
        ),
        NUMBERS,
        LABELS,
    ),
    "nystroem with a kernel": (
        make(
            kernel_approximation.Nystroem("chi2", n_components=9),
            svm.LinearSVC(),
        ),
        NUMBERS,
        LABELS,
    ),
    "gaussian process": (
        gaussian_process.GaussianProcessRegressor(
            kernel=kernels.ConstantKernel(1.0) * kernels.RBF(1.0, (1e-2, 1e3))
            + kernels.WhiteKernel(0.1)
            + kernels.RationalQuadratic()
            + kernels.DotProduct(),
            optimizer=None,
            alpha=1.0,
        ),
        NUMBERS,
        TARGET,
    ),
    "gaussian process of three classes": (
        gaussian_process.GaussianProcessClassifier(1.0 * kernels.Matern(nu=1.5)),
        NUMBERS[:40],
        THREE[:40],
    ),
    "a kernel's function": (svm.SVC(kernel=metrics.pairwise.rbf_kernel), NUMBERS, LABELS),
    "calibrated": (
        calibration.CalibratedClassifierCV(naive_bayes.GaussianNB(), cv=2),
        NUMBERS,
        LABELS,
    ),
    "calibrated by isotonic regression": (
        calibration.CalibratedClassifierCV(svm.LinearSVC(), method="isotonic", cv=2),
        NUMBERS,
        LABELS,
    ),
    "calibrated, frozen": (
        calibration.CalibratedClassifierCV(
            frozen.FrozenEstimator(naive_bayes.GaussianNB().fit(NUMBERS, LABELS))
        ),
        NUMBERS,
        LABELS,
    ),
    "target on a log scale": (
        compose.TransformedTargetRegressor(
            linear_model.Ridge(), func=np.log1p, inverse_func=np.expm1
        ),
        NUMBERS,
        TARGET,
    ),
    "target as a chance": (
        compose.TransformedTargetRegressor(linear_model.Ridge(), func=logit, inverse_func=expit),
        NUMBERS,
        TARGET / 100 + 0.2,
    ),
    "target by quantiles": (
        compose.TransformedTargetRegressor(
            linear_model.Ridge(), transformer=preprocessing.QuantileTransformer(n_quantiles=30)
        ),
        NUMBERS,
        TARGET,
    ),
    "voting": (
        ensemble.VotingClassifier(
            [
                ("lr", classify()),
                ("rf", ensemble.RandomForestClassifier(5)),
                ("gnb", naive_bayes.GaussianNB()),
            ],
            voting="soft",
        ),
        NUMBERS,
        THREE,
    ),
    "stacking": (
        ensemble.StackingClassifier(
            [
                ("rf", ensemble.RandomForestClassifier(5)),
                ("svr", make(preprocessing.StandardScaler(), svm.LinearSVC(random_state=42))),
            ],
            final_estimator=classify(),
            cv=2,
        ),
        NUMBERS,
        LABELS,
    ),
    "stacking of regressors": (
        ensemble.StackingRegressor(
            [
                ("ridge", linear_model.RidgeCV()),
                ("lasso", linear_model.LassoCV(random_state=42)),
                ("knr", neighbors.KNeighborsRegressor(20, metric="euclidean")),
            ],
            final_estimator=ensemble.GradientBoostingRegressor(n_estimators=5, subsample=0.5),
        ),
        NUMBERS,
        TARGET,
    ),
    "texts": (
        make(
            feature_extraction.text.TfidfVectorizer(), linear_model.SGDClassifier(loss="log_loss")
        ),
        TEXTS,
        LABELS,
    ),
    "texts in three steps": (
        make(
            feature_extraction.text.CountVectorizer(stop_words=["of"], ngram_range=(1, 2)),
            feature_extraction.text.TfidfTransformer(),
            naive_bayes.MultinomialNB(),
        ),
        TEXTS,
        LABELS,
    ),
    "texts hashed": (
        make(feature_extraction.text.HashingVectorizer(n_features=64), linear_model.Perceptron()),
        TEXTS,
        LABELS,
    ),
    "texts and their meaning": (
        make(
            feature_extraction.text.TfidfVectorizer(stop_words="english"),
            decomposition.TruncatedSVD(2),
            preprocessing.Normalizer(),
            cluster.KMeans(2, n_init=1),
        ),
        TEXTS,
        None,
    ),
    "features selected": (
        make(feature_selection.SelectKBest(feature_selection.f_classif, k=2), svm.SVC()),
        NUMBERS,
        LABELS,
    ),
    "features selected by information": (
        make(
            feature_selection.SelectKBest(
                partial(feature_selection.mutual_info_classif, random_state=0), k=2
            ),
            svm.NuSVC(),
        ),
        NUMBERS,
        LABELS,
    ),
    "features selected by a model": (
        make(
            feature_selection.SelectFromModel(svm.LinearSVC(dual=False, penalty="l1")),
            ensemble.ExtraTreesClassifier(5),
        ),
        NUMBERS,
        LABELS,
    ),
    "features left out one by one": (
        make(feature_selection.RFECV(svm.SVC(kernel="linear"), cv=2), classify()),
        NUMBERS,
        LABELS,
    ),
    "features one after the other": (
        make(
            feature_selection.SequentialFeatureSelector(
                neighbors.KNeighborsClassifier(3), n_features_to_select=2, cv=2
            ),
            classify(),
        ),
        NUMBERS,
        LABELS,
    ),
    "principal components": (
        make(preprocessing.StandardScaler(), decomposition.PCA(2), classify()),
        NUMBERS,
        LABELS,
    ),
    "independent components": (
        make(decomposition.FastICA(2, random_state=0), classify()),
        NUMBERS,
        LABELS,
    ),
    "kernel components": (
        make(decomposition.KernelPCA(2, kernel="rbf"), classify()),
        NUMBERS,
        LABELS,
    ),
    "factors": (make(decomposition.NMF(2, max_iter=500), classify()), NUMBERS, LABELS),
    "a union of features": (
        make(
            pipeline.FeatureUnion(
                [("pca", decomposition.PCA(2)), ("best", feature_selection.SelectKBest(k=1))]
            ),
            svm.SVC(kernel="linear"),
        ),
        NUMBERS,
        LABELS,
    ),
    "histogram boosting with categories": (
        ensemble.HistGradientBoostingClassifier(
            max_iter=5, categorical_features="from_dtype", random_state=0
        ),
        TABLE.astype({"sex": "category", "city": "category"}),
        LABELS,
    ),
    "histogram boosting with encoded categories": (
        make(
            compose.make_column_transformer(
                (
                    preprocessing.OrdinalEncoder(
                        handle_unknown="use_encoded_value", unknown_value=np.nan
                    ),
                    by_type(dtype_include=object),
                ),
                remainder="passthrough",
                verbose_feature_names_out=False,
            ),
            ensemble.HistGradientBoostingRegressor(
                max_iter=5, categorical_features=[0, 1], loss="poisson", random_state=0
            ),
        ),
        TABLE,
        TARGET,
    ),
    "target encoder": (
        make(preprocessing.TargetEncoder(cv=2), ensemble.RandomForestClassifier(5)),
        TABLE[["sex", "city"]],
        LABELS,
    ),
    "gradient boosting": (
        ensemble.GradientBoostingRegressor(n_estimators=5, loss="huber"),
        NUMBERS,
        TARGET,
    ),
    "support vectors of three classes": (
        make(preprocessing.StandardScaler(), svm.SVC(gamma="auto", class_weight="balanced")),
        NUMBERS,
        THREE,
    ),
    "neural network": (
        make(
            preprocessing.StandardScaler(),
            neural_network.MLPClassifier((5, 2), solver="lbfgs", max_iter=2000, tol=1e-2),
        ),
        NUMBERS,
        LABELS,
    ),
    "isotonic": (isotonic.IsotonicRegression(out_of_bounds="clip"), NUMBERS[:, :1], TARGET),
    "naive bayes": (naive_bayes.ComplementNB(), NUMBERS, THREE),
    "one against the rest": (multiclass.OneVsRestClassifier(svm.LinearSVC()), NUMBERS, THREE),
    "one against one": (multiclass.OneVsOneClassifier(svm.LinearSVC()), NUMBERS, THREE),
    "output codes": (
        multiclass.OutputCodeClassifier(svm.LinearSVC(), code_size=2, random_state=0),
        NUMBERS,
        THREE,
    ),
    "a chain of classifiers": (
        multioutput.ClassifierChain(classify(), order="random", random_state=0),
        NUMBERS,
        np.column_stack([LABELS, THREE > 1]).astype(int),
    ),
    "several outputs": (
        multioutput.MultiOutputRegressor(ensemble.GradientBoostingRegressor(n_estimators=3)),
        NUMBERS,
        np.column_stack([TARGET, -TARGET]),
    ),
    "a tuned threshold": (
        model_selection.TunedThresholdClassifierCV(
            classify(), scoring=metrics.make_scorer(metrics.f1_score, pos_label=1), cv=2
        ),
        NUMBERS,
        LABELS,
    ),
    "a fixed threshold": (
        model_selection.FixedThresholdClassifier(
            classify(), threshold=0.3, response_method="predict_proba"
        ),
        NUMBERS,
        LABELS,
    ),
    "a frozen estimator": (
        frozen.FrozenEstimator(classify().fit(NUMBERS, LABELS)),
        NUMBERS,
        LABELS,
    ),
    "imputed one by the other": (
        make(impute.IterativeImputer(random_state=0, max_iter=2), linear_model.Ridge()),
        NUMBERS,
        TARGET,
    ),
    "imputed by neighbours": (
        make(
            pipeline.FeatureUnion(
                [("filled", impute.KNNImputer()), ("gone", impute.MissingIndicator(features="all"))]
            ),
            tree.DecisionTreeRegressor(max_depth=3),
        ),
        NUMBERS,
        TARGET,
    ),
    "neighbours by another metric": (
        neighbors.KNeighborsClassifier(5, metric="mahalanobis", metric_params={"V": np.eye(4)}),
        NUMBERS,
        LABELS,
    ),
    "neighbours after their components": (
        make(
            neighbors.NeighborhoodComponentsAnalysis(random_state=0),
            neighbors.KNeighborsClassifier(3),
        ),
        NUMBERS,
        LABELS,
    ),
    "neighbours by angle": (
        make(
            random_projection.SparseRandomProjection(2, random_state=0),
            neighbors.RadiusNeighborsRegressor(5.0),
        ),
        NUMBERS,
        TARGET,
    ),
    "kernel ridge": (
        kernel_ridge.KernelRidge(kernel="laplacian"),
        NUMBERS,
        TARGET,
    ),
    "robust": (
        linear_model.RANSACRegressor(random_state=42),
        NUMBERS,
        TARGET,
    ),
    "counts": (linear_model.TweedieRegressor(power=1, alpha=0.5, link="log"), NUMBERS, TARGET),
    "discriminants": (discriminant_analysis.QuadraticDiscriminantAnalysis(), NUMBERS, LABELS),
    "outliers": (covariance.EllipticEnvelope(random_state=0), NUMBERS, None),
    "outliers by isolation": (
        ensemble.IsolationForest(n_estimators=5, random_state=0),
        NUMBERS,
        None,
    ),
    "a mixture": (mixture.BayesianGaussianMixture(n_components=2, random_state=0), NUMBERS, None),
    "labels that spread": (
        semi_supervised.SelfTrainingClassifier(classify(), criterion="k_best"),
        NUMBERS,
        np.where(np.arange(90) < 60, LABELS, -1),
    ),
    "bagged": (
        ensemble.BaggingClassifier(
            neighbors.KNeighborsClassifier(), max_samples=0.5, max_features=0.5, random_state=0
        ),
        NUMBERS,
        LABELS,
    ),
    "boosted stumps": (ensemble.AdaBoostClassifier(n_estimators=5), NUMBERS, LABELS),
    "trees as an embedding": (
        make(ensemble.RandomTreesEmbedding(5, max_depth=3, random_state=0), classify()),
        NUMBERS,
        LABELS,
    ),
    "pooled features": (
        make(cluster.FeatureAgglomeration(2), linear_model.BayesianRidge()),
        NUMBERS,
        TARGET,
    ),
}
"""The user guide's pipelines: a title → the model, what it is fitted on, and the target."""
