"""Saved Spark ML models: classes of strangers, names that are paths, numbers for everything."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from tests.hostile.outcomes import RIGHT, Case, Given
from tests.hostile.tabular import put

if TYPE_CHECKING:
    from pathlib import Path


REFUSED, UNREADABLE, UNSUPPORTED = "MODEL_REFUSED", "MODEL_UNREADABLE", "FLAVOR_UNSUPPORTED"
ANY_ERROR = f"{REFUSED} {UNREADABLE} {UNSUPPORTED} SIGNATURE_UNKNOWN SIGNATURE_MISMATCH"
PIPELINE = "org.apache.spark.ml.PipelineModel"
LOGISTIC = {
    "class": "org.apache.spark.ml.classification.LogisticRegressionModel",
    "timestamp": 1,
    "sparkVersion": "4.1.1",
    "uid": "lr",
    "numClasses": 2,
    "numFeatures": 2,
    "paramMap": {},
    "defaultParamMap": {
        "featuresCol": "features",
        "labelCol": "label",
        "predictionCol": "prediction",
        "probabilityCol": "probability",
        "rawPredictionCol": "rawPrediction",
    },
}


def stage(folder: Path, line: Any) -> Path:
    """The metadata of one stage."""
    (folder / "metadata").mkdir(parents=True)
    text = line if isinstance(line, str | bytes) else json.dumps(line)
    put(text, "part-00000")(folder / "metadata")
    return folder


def alone(line: Any):
    """A maker of a model of one stage."""
    return lambda folder: stage(folder / "m", line)


def changed(**keys: Any):
    """A maker of the logistic regression with other metadata."""
    return alone({**LOGISTIC, **keys})


def pipeline(uids: Any, *, folders: Any = (), inner: Any = LOGISTIC, name: str = PIPELINE):
    """A maker of a pipeline with these stages in its list, and in folders of these names."""

    def make(folder: Path) -> Path:
        stage(
            folder / "m", {**LOGISTIC, "class": name, "uid": "p", "paramMap": {"stageUids": uids}}
        )
        for place in folders:
            stage(folder / "m" / "stages" / place, inner)
        return folder / "m"

    return make


def in_itself(folder: Path) -> Path:
    """A pipeline in a pipeline, 100 deep."""
    made = folder / "m"
    here = made
    for _ in range(100):
        stage(here, {**LOGISTIC, "class": PIPELINE, "uid": "p", "paramMap": {"stageUids": ["p"]}})
        here = here / "stages" / "0_p"
    stage(here, LOGISTIC)
    return made


def nested_pipeline(folder: Path) -> Path:
    """A pipeline in a pipeline."""
    pipeline(
        ["p"],
        folders=["0_p"],
        inner={**LOGISTIC, "class": PIPELINE, "uid": "p", "paramMap": {"stageUids": ["lr"]}},
    )(folder)
    stage(folder / "m" / "stages" / "0_p" / "stages" / "0_lr", LOGISTIC)
    return folder / "m"


def best_of_best(folder: Path) -> Path:
    """A search in a search, 40 deep."""
    stage(folder / "m" / "/".join(["bestModel"] * 40), LOGISTIC)
    return stage(
        folder / "m", {**LOGISTIC, "class": "org.apache.spark.ml.tuning.CrossValidatorModel"}
    )


def one_vs_rest(name: str):
    """A maker of a OneVsRest whose classifier is of this class."""

    def make(folder: Path) -> Path:
        stage(folder / "m" / "model_0", {**LOGISTIC, "class": name})
        return stage(
            folder / "m", {**LOGISTIC, "class": "org.apache.spark.ml.classification.OneVsRestModel"}
        )

    return make


def piped(folder: Path) -> Path:
    """Metadata that is a pipe."""
    (folder / "m" / "metadata").mkdir(parents=True)
    os.mkfifo(folder / "m" / "metadata" / "part-0")
    return folder / "m"


STRANGERS = (
    "org.apache.spark.ml.evil.Model",
    "com.evil.Model",
    "org.apache.spark.ml.feature.evil$Model",
    "pyspark.ml.feature.evil.Model",
    "org.apache.spark.ml.feature.Model\ncom.evil.Model",
    "org.apache.spark.ml.feature.Model ",
    "os.system",
    "",
    "java.lang.Runtime",
    "org/apache/spark/ml/feature/Model",
    "org.apache.spark.ml.classification.",
    "Ｏrg.apache.spark.ml.PipelineModel",
    "org.apache.spark.ml.tuning.CrossValidatorModel",
    "org.apache.spark.mllib.classification.SVMModel",
)

CASES = (
    Case("benign: Spark ML", lambda folder: Given(uri=str(changed()(folder))), RIGHT),
    Case("benign: Spark ML, a pipeline", pipeline(["lr"], folders=["0_lr"]), RIGHT),
    Case(
        "benign: Spark ML, a pipeline in a pipeline",
        nested_pipeline,
        RIGHT,
    ),
    *(
        Case(f"Spark ML: the class {name!r}", changed(**{"class": name}), ANY_ERROR)
        for name in STRANGERS
    ),
    *(
        Case(
            f"Spark ML: a stage of the class {name!r}",
            pipeline(["lr"], folders=["0_lr"], inner={**LOGISTIC, "class": name}),
            ANY_ERROR,
        )
        for name in STRANGERS[:3]
    ),
    *(
        Case(f"Spark ML: one of {name!r} against the rest", one_vs_rest(name), ANY_ERROR)
        for name in (
            "com.evil.Model",
            "org.apache.spark.ml.feature.PCAModel",
            "org.apache.spark.ml.classification.x.Model",
        )
    ),
    *(
        Case(f"Spark ML: {key} is {value!r}", changed(**{key: value}), f"{ANY_ERROR} {RIGHT}")
        for key, value in (
            ("class", 5),
            ("class", None),
            ("class", ["x"]),
            ("uid", 5),
            ("uid", ""),
            ("uid", None),
            ("paramMap", 5),
            ("paramMap", []),
            ("paramMap", None),
            ("defaultParamMap", 5),
            ("defaultParamMap", [1]),
            ("defaultParamMap", None),
            ("sparkVersion", 5),
            ("sparkVersion", None),
            ("sparkVersion", [5]),
            ("numFeatures", "x"),
            ("numFeatures", -1),
            ("numFeatures", 10**18),
            ("numClasses", 10**18),
            ("numClasses", "x"),
            ("numFeatures", [2]),
            ("paramMap", {"featuresCol": 5}),
            ("paramMap", {"featuresCol": ["a"]}),
            ("paramMap", {"predictionCol": {"a": 1}}),
            ("paramMap", {"inputCols": 5}),
            ("paramMap", {"inputCols": [1, None]}),
            ("paramMap", {"predictionCol": "a`b.c"}),
        )
    ),
    *(
        Case(
            f"Spark ML: a stage called {str(uid)[:20]!r}",
            pipeline([uid], folders=["0_lr"]),
            ANY_ERROR,
        )
        for uid in (
            "../lr",
            "..",
            "/etc",
            "lr/../lr",
            "{lr,x}",
            "l*",
            "l?",
            "[l]r",
            "lr,x",
            "a\\b",
            "file:/x",
            5,
            None,
            [],
            {"a": 1},
            "x" * 300,
        )
    ),
    *(
        Case(f"Spark ML: a stage called {what}", pipeline([uid]), ANY_ERROR)
        for what, uid in (
            ("NUL", "a\0b"),
            ("ESC", "\x1b[2J"),
            ("half a character", "\ud800"),
            ("5,000 characters", "x" * 5_000),
        )
    ),
    *(
        Case(f"Spark ML: the stages are {str(uids)[:20]}", pipeline(uids), ANY_ERROR)
        for uids in (5, "lr", {"a": 1}, [["lr"]], None, True)
    ),
    Case("Spark ML: a million stages", pipeline(["x"] * 1_000_000), ANY_ERROR),
    Case(
        "Spark ML: a stage that is not there", pipeline(["lr", "gone"], folders=["0_lr"]), ANY_ERROR
    ),
    Case(
        "Spark ML: SQL",
        changed(
            **{
                "class": "org.apache.spark.ml.feature.SQLTransformer",
                "paramMap": {
                    "statement": "SELECT java_method('java.lang.Runtime', 'x') FROM __THIS__"
                },
            }
        ),
        REFUSED,
    ),
    Case("Spark ML: a pipeline in itself", in_itself, f"{ANY_ERROR} {RIGHT}"),
    Case("Spark ML: a search in a search", best_of_best, f"{ANY_ERROR} {RIGHT}"),
    Case("Spark ML: metadata in a pipe", piped, UNREADABLE),
    *(
        Case(f"Spark ML: the line {str(line)[:24]!r}", alone(line), UNREADABLE)
        for line in (
            "",
            "\n\n",
            "{}",
            "[]",
            "5",
            "null",
            '"x"',
            "{}\n{}",
            "[" * 5_000,
            '{"a":' * 100_000,
            "\0",
            b"\xff\xfe",
            "{'class': 1}",
            json.dumps(LOGISTIC) * 2,
            '{"class": NaN}',
        )
    ),
    Case(
        "Spark ML: a key twice",
        alone(json.dumps(LOGISTIC)[:-1] + ', "class": "com.evil.Model"}'),
        ANY_ERROR,
    ),
    Case(
        "Spark ML: a key twice, the last is right",
        alone('{"class": "com.evil.Model", ' + json.dumps(LOGISTIC)[1:]),
        ANY_ERROR,
    ),
    Case(
        "Spark ML: of MLflow, elsewhere",
        lambda folder: (
            (changed()(folder), put("flavors: {spark: {model_data: ../}}", "MLmodel")(folder))[
                1
            ].parent
        ),
        ANY_ERROR,
    ),
)
