"""The classes of Spark ML that a saved model may name: those that Spark's own distribution has.

Spark's readers look up and call whatever class the files name, so a name counts only as it stands
here. The test compares the table with the public names of `pyspark.ml`.
"""

from __future__ import annotations

HOMES = ("org.apache.spark.ml.", "pyspark.ml.")

STAGES: dict[str, tuple[str, ...]] = {
    "classification": (
        "DecisionTreeClassificationModel", "FMClassificationModel", "GBTClassificationModel",
        "LinearSVCModel", "LogisticRegressionModel", "MultilayerPerceptronClassificationModel",
        "NaiveBayesModel", "OneVsRestModel", "RandomForestClassificationModel",
    ),
    "clustering": (
        "BisectingKMeansModel", "DistributedLDAModel", "GaussianMixtureModel", "KMeansModel",
        "LDAModel", "LocalLDAModel",
    ),
    "feature": (
        "Binarizer", "BucketedRandomProjectionLSHModel", "Bucketizer", "ChiSqSelectorModel",
        "CountVectorizerModel", "DCT", "ElementwiseProduct", "FeatureHasher", "HashingTF",
        "IDFModel", "ImputerModel", "IndexToString", "Interaction", "MaxAbsScalerModel",
        "MinHashLSHModel", "MinMaxScalerModel", "NGram", "Normalizer", "OneHotEncoderModel",
        "PCAModel", "PolynomialExpansion", "RFormulaModel", "RegexTokenizer", "RobustScalerModel",
        "SQLTransformer", "StandardScalerModel", "StopWordsRemover", "StringIndexerModel",
        "TargetEncoderModel", "Tokenizer", "UnivariateFeatureSelectorModel",
        "VarianceThresholdSelectorModel", "VectorAssembler", "VectorIndexerModel",
        "VectorSizeHint", "VectorSlicer", "Word2VecModel",
    ),
    "fpm": ("FPGrowthModel",),
    "recommendation": ("ALSModel",),
    "regression": (
        "AFTSurvivalRegressionModel", "DecisionTreeRegressionModel", "FMRegressionModel",
        "GBTRegressionModel", "GeneralizedLinearRegressionModel", "IsotonicRegressionModel",
        "LinearRegressionModel", "RandomForestRegressionModel",
    ),
    "tuning": ("CrossValidatorModel", "TrainValidationSplitModel"),
}  # fmt: skip
"""A package → its transformers and fitted models."""

CLASSIFIERS = (
    "DecisionTreeClassifier", "FMClassifier", "GBTClassifier", "LinearSVC", "LogisticRegression",
    "MultilayerPerceptronClassifier", "NaiveBayes", "OneVsRest", "RandomForestClassifier",
)  # fmt: skip
"""What OneVsRest holds besides, unfitted."""

OWN = frozenset(
    {f"{home}{package}.{name}" for home in HOMES for package in STAGES for name in STAGES[package]}
    | {f"{home}PipelineModel" for home in HOMES}
    | {"pyspark.ml.pipeline.PipelineModel"}
)
IN_ONE_VS_REST = frozenset(
    f"{home}classification.{name}"
    for home in HOMES
    for name in (*STAGES["classification"], *CLASSIFIERS)
)
"""Full names, as the files have them: of stages, and of what OneVsRest holds."""
