"""The Spark ML flavor without Spark: the files that its writers leave, laid out here by hand."""

from __future__ import annotations

import contextlib
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from sparkml import load_scorer, read_spec
from sparkml.errors import (
    ConfigError,
    EnvironmentMismatch,
    ModelUnreadable,
    SignatureError,
    SignatureUnknown,
    SparkMLError,
    UnsupportedFlavor,
    UntrustedModel,
)
from sparkml.spec import Field, Signature

FEATURE = "org.apache.spark.ml.feature."
LOGISTIC = "org.apache.spark.ml.classification.LogisticRegressionModel"
COLUMNS = {
    "featuresCol": "features",
    "labelCol": "label",
    "predictionCol": "prediction",
    "probabilityCol": "probability",
    "rawPredictionCol": "rawPrediction",
}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))


def stage(folder, name, uid, params, data=None, defaults=None, version="4.1.1", **more):
    """What `DefaultParamsWriter` writes: one line of JSON, and Parquet where there is data."""
    (folder / "metadata").mkdir(parents=True)
    line = {"class": name, "timestamp": 1, "sparkVersion": version, "uid": uid}
    line |= {"paramMap": params, "defaultParamMap": defaults or {}, **more}
    (folder / "metadata" / "part-00000-x-c000.txt").write_text(json.dumps(line) + "\n")
    (folder / "metadata" / "_SUCCESS").touch()
    if data is not None:
        (folder / "data").mkdir()
        pq.write_table(pa.Table.from_pylist([data]), folder / "data" / "part-00000.parquet")
    return str(folder)


def pipeline(folder, *stages, version="4.1.1"):
    """A `PipelineModel` of (class, uid, params[, data]); gives the folder."""
    uids = [uid for _, uid, *_ in stages]
    stage(folder, "org.apache.spark.ml.PipelineModel", "p", {"stageUids": uids}, version=version)
    for place, (name, uid, *rest) in enumerate(stages):
        inner = folder / "stages" / f"{place:0{len(str(len(stages)))}d}_{uid}"
        stage(inner, name, uid, *rest, version=version)
    return str(folder)


def logistic(width=3):
    return LOGISTIC, "lr", {}, {"numClasses": 2, "numFeatures": width}, COLUMNS


def bank(folder, invalid="keep", version="4.1.1"):
    """The usual pipeline: the target's indexer, a text's, an encoder, an imputer, and a model."""
    return pipeline(
        folder,
        (f"{FEATURE}StringIndexerModel", "y", {"inputCol": "y", "outputCol": "label"}),
        (
            f"{FEATURE}StringIndexerModel",
            "job",
            {"inputCol": "job", "outputCol": "job_i", "handleInvalid": invalid},
        ),
        (
            f"{FEATURE}OneHotEncoderModel",
            "hot",
            {"inputCols": ["job_i"], "outputCols": ["job_v"], "handleInvalid": invalid},
        ),
        (f"{FEATURE}ImputerModel", "imp", {"inputCols": ["age"], "outputCols": ["age_f"]}),
        (
            f"{FEATURE}VectorAssembler",
            "va",
            {"inputCols": ["job_v", "age_f"], "outputCol": "features"},
        ),
        logistic(),
        (
            f"{FEATURE}IndexToString",
            "its",
            {"inputCol": "prediction", "outputCol": "said", "labels": ["no", "yes"]},
        ),
        version=version,
    )


def test_a_pipeline_tells_the_table_s_columns_and_its_outputs(tmp_path):
    """Raw columns only, with their types; the target's indexer asks for nothing."""
    spec = read_spec(bank(tmp_path / "m"), environment="ignore")

    expected = Signature(
        inputs=(Field(name="job", type="string"), Field(name="age", type="double")),
        outputs=(
            Field(name="prediction", type="string"),
            Field(name="probability", type="list<double>"),
        ),
    )
    assert ("spark", expected) == (spec.flavor, spec.signature)


@pytest.mark.parametrize(("invalid", "policy"), [("keep", "model"), ("error", "quarantine")])
def test_missing_values_go_to_the_model_where_every_column_provides_for_them(
    tmp_path, invalid, policy
):
    """An imputer and a label of its own take nulls; an indexer that raises does not."""
    spec = read_spec(bank(tmp_path / "m", invalid), environment="ignore")

    assert policy == spec.null_policy("age").kind


def test_a_lone_classifier_takes_a_vector_of_the_fitted_length(tmp_path):
    """Its length stands in the metadata, or in the data where the class keeps it there."""
    forest = "org.apache.spark.ml.classification.RandomForestClassificationModel"
    told = stage(tmp_path / "f", forest, "rf", {}, defaults=COLUMNS, numFeatures=7)
    name, uid, params, data, defaults = logistic(5)
    kept = stage(tmp_path / "l", name, uid, params, data, defaults)

    lengths = [read_spec(p, environment="ignore").signature.inputs[0].length for p in (told, kept)]

    assert [7, 5] == lengths


def test_margin_is_given_to_those_who_name_it(tmp_path):
    """The raw prediction is an output on request; a leaf is not, where no column was named."""
    path = bank(tmp_path / "m")

    spec = read_spec(path, outputs=["prediction", "margin"], environment="ignore")

    assert ["prediction", "margin"] == [f.name for f in spec.signature.outputs]
    with pytest.raises(SignatureError, match="no output 'leaf'"):
        read_spec(path, outputs=["leaf"], environment="ignore")


def test_mlflow_s_folder_and_a_search_s_best_model_are_found(tmp_path):
    """The pipeline is under `model_data`, and a cross-validation's under `bestModel`."""
    home = tmp_path / "m"
    stage(home / "sparkml", "org.apache.spark.ml.tuning.CrossValidatorModel", "cv", {})
    bank(home / "sparkml" / "bestModel")
    spark = {"model_data": "sparkml", "pyspark_version": "4.1.1"}
    flavors = {"python_function": {"loader_module": "mlflow.spark"}, "spark": spark}
    (home / "MLmodel").write_text(yaml.safe_dump({"flavors": flavors}))

    spec = read_spec(str(home), environment="ignore")

    assert ("spark", ("job", "age")) == (spec.flavor, spec.signature.names)


def test_another_major_spark_is_told(tmp_path):
    """Bare folders say which Spark saved them; MLflow's say it in the `MLmodel` file."""
    with pytest.raises(EnvironmentMismatch, match=r"pyspark 3\.5\.1"):
        read_spec(bank(tmp_path / "m", version="3.5.1"), environment="error")


def test_it_runs_no_code_unless_it_holds_sql(tmp_path):
    """JSON and Parquet are data; an SQLTransformer's text can call Java."""
    read_spec(bank(tmp_path / "m"), trust="never", environment="ignore")
    sql = (f"{FEATURE}SQLTransformer", "sql", {"statement": "SELECT *, a + 1 AS b FROM __THIS__"})
    path = pipeline(tmp_path / "s", sql, logistic())

    with pytest.raises(UntrustedModel, match="sql is SQL of the model's own"):
        read_spec(path, trust="never", environment="ignore")
    with pytest.raises(SignatureUnknown):
        read_spec(path, environment="ignore")


def test_it_scores_in_spark_and_nowhere_else(tmp_path):
    """`load_scorer` opens it, and says where it is scored as soon as it is asked for numbers."""
    scorer = load_scorer(read_spec(bank(tmp_path / "m"), environment="ignore"))

    with pytest.raises(UnsupportedFlavor, match=r"own transform.*score\(df, spec\)"):
        scorer(pa.RecordBatch.from_pydict({"job": ["x"], "age": [1.0]}))


@pytest.mark.parametrize(
    ("declared", "error", "said"),
    [
        ([("job", "string", None)], SignatureError, "takes 'age', the signature does not name it"),
        ([("features", "list<double>", 4)], SignatureError, "length 4, the model takes 3"),
    ],
)
def test_a_declared_signature_must_be_the_model_s(tmp_path, declared, error, said):
    """A column left out, or vectors of another length, are refused before anything is scored."""
    inputs = tuple(Field(name=n, type=t, length=k) for n, t, k in declared)
    path = bank(tmp_path / "m")
    if "features" in [f.name for f in inputs]:
        name, uid, params, data, defaults = logistic()
        path = stage(tmp_path / "l", name, uid, params, data, defaults)

    with pytest.raises(error, match=said):
        read_spec(path, signature=Signature(inputs=inputs), environment="ignore")


def test_stages_that_nobody_can_score_row_by_row_are_refused(tmp_path):
    """Somebody else's class, a join, a pipeline that makes nothing: each says what to do."""
    foreign = pipeline(tmp_path / "f", ("com.acme.Stage", "acme", {}), logistic())
    als = stage(tmp_path / "a", "org.apache.spark.ml.recommendation.ALSModel", "als", {})
    hint = {"inputCol": "a", "size": 3}
    nothing = pipeline(tmp_path / "n", (f"{FEATURE}VectorSizeHint", "s", hint))

    with pytest.raises(UnsupportedFlavor, match=r"acme is a com\.acme\.Stage"):
        read_spec(foreign)
    with pytest.raises(UnsupportedFlavor, match=r"als is a ALSModel.*joins"):
        read_spec(als)
    with pytest.raises(ModelUnreadable, match="no stage of it makes a column"):
        read_spec(nothing)


def test_a_pipeline_that_only_transforms_gives_the_columns_that_it_makes(tmp_path):
    """Those that no stage of it takes again; the others to those who name them."""
    assembler = {"inputCols": ["a", "b"], "outputCol": "both"}
    made = pipeline(
        tmp_path / "p",
        (f"{FEATURE}StringIndexerModel", "i", {"inputCol": "c", "outputCol": "ci"}),
        (f"{FEATURE}VectorAssembler", "v", assembler),
        (f"{FEATURE}StandardScalerModel", "s", {"inputCol": "both", "outputCol": "scaled"}),
        (f"{FEATURE}Tokenizer", "t", {"inputCol": "said", "outputCol": "words"}),
    )
    spec = read_spec(made, trust="never")
    assert {f.name: f.type for f in spec.signature.inputs} == {
        "c": "string",
        "a": "double",
        "b": "double",
        "said": "string",
    }
    assert {f.name: f.type for f in spec.signature.outputs} == {
        "ci": "double",
        "scaled": "list<double>",
        "words": "list<string>",
    }
    between = read_spec(made, outputs=["both", "ci"])
    assert [f"{f.name} {f.type}" for f in between.signature.outputs] == [
        "both list<double>",
        "ci double",
    ]
    with pytest.raises(SignatureError, match=r"no output 'prediction'.*known: 'both', 'ci'"):
        read_spec(made, outputs="prediction")
    indexers = {"inputCols": ["c", "d"], "outputCols": ["ci", "Error"]}
    name = f"{FEATURE}StringIndexerModel"
    path = stage(tmp_path / "e", name, "i", indexers, defaults={"outputCol": "i__output"})
    with pytest.raises(SignatureError, match="'Error' would stand beside the row's own error"):
        read_spec(path)
    assert [f.name for f in read_spec(path, outputs="ci").signature.outputs] == ["ci"]


def test_what_a_class_does_not_tell_is_declared(tmp_path):
    """The hashes of an LSH model have no type that a column of ours knows; SQL tells nothing."""
    hashes = {"inputCol": "v", "outputCol": "hashes"}
    lsh_class = f"{FEATURE}MinHashLSHModel"
    lsh = pipeline(tmp_path / "h", (lsh_class, "m", hashes))
    with pytest.raises(SignatureUnknown):
        read_spec(lsh)
    sql = {"statement": "SELECT *, a + 1 AS more FROM __THIS__"}
    path = pipeline(tmp_path / "q", (f"{FEATURE}SQLTransformer", "q", sql))
    with pytest.raises(SignatureUnknown, match="which columns it takes"):
        read_spec(path)
    indexer = (f"{FEATURE}StringIndexerModel", "i", {"inputCol": "c", "outputCol": "ci"})
    vector = Field(name="v", type="list<double>", length=2)
    columns = Signature(inputs=(Field(name="c", type="string"), vector))
    for place, beside in enumerate(
        ((f"{FEATURE}SQLTransformer", "q", sql), (lsh_class, "m", hashes))
    ):
        mixed = pipeline(tmp_path / str(place), indexer, beside)
        with pytest.raises(SignatureUnknown, match=r"it gives .*outputs=\(Field\(name=\"ci\""):
            read_spec(mixed, signature=columns)
        (named,) = read_spec(mixed, signature=columns, outputs="ci").signature.outputs
        assert (named.name, named.type) == ("ci", "double")
    given = Signature(
        inputs=(Field(name="a", type="double"),), outputs=(Field(name="more", type="double"),)
    )
    assert read_spec(path, signature=given).signature == given


@pytest.mark.parametrize("damage", ["no json", "not its json", "a stage is gone", "no parquet"])
def test_a_damaged_model_is_one_clear_error(tmp_path, damage):
    """Whatever is broken, the error names the file; nothing else is raised."""
    if damage == "no parquet":
        name, uid, params, data, defaults = logistic()
        path = stage(tmp_path / "m", name, uid, params, data, defaults)
        (tmp_path / "m" / "data" / "part-00000.parquet").write_bytes(b"PAR1")
    else:
        path = bank(tmp_path / "m")
        part = tmp_path / "m" / "stages" / "3_imp" / "metadata" / "part-00000-x-c000.txt"
        texts = {"no json": "{", "not its json": '{"class": 7}'}
        part.unlink() if damage == "a stage is gone" else part.write_text(texts[damage])

    with pytest.raises(ModelUnreadable, match=r"not what Spark ML writes.*save the model again"):
        read_spec(path, environment="ignore")


def test_it_takes_neither_params_nor_model_config(tmp_path):
    """There is nothing to hand them to."""
    path = bank(tmp_path / "m")

    with pytest.raises(ConfigError, match="no params"):
        read_spec(path, params={"a": 1}, environment="ignore")
    with pytest.raises(ConfigError, match="no model_config"):
        read_spec(path, model_config={"a": 1}, environment="ignore")
    with pytest.raises(SparkMLError, match="does not read"):
        read_spec(path, flavor="sklearn", environment="ignore")


@pytest.mark.parametrize("uid", ["x/../../../outside", "..", "a/b", "a\\b", "{a,b}", "*", ""])
def test_a_stage_s_name_cannot_lead_out_of_the_model(tmp_path, uid):
    """The digest covers the model's folder alone; Hadoop reads globs in paths."""
    path = stage(tmp_path / "m", "org.apache.spark.ml.PipelineModel", "p", {"stageUids": [uid]})
    (tmp_path / "m" / "stages" / "0_x").mkdir(parents=True)
    name, own, params, data, defaults = logistic()
    stage(tmp_path / "outside", name, own, params, data, defaults)

    with pytest.raises(UntrustedModel, match="leads to another folder"):
        read_spec(path, trust="never", environment="ignore")


@pytest.mark.parametrize(
    "name",
    [
        "org.apache.spark.ml.evil.Klass",
        "pyspark.ml.util.Thing",
        "pyspark.ml.feature.evil.Klass",
        "pyspark.ml.feature.",
        "org.apache.spark.ml.feature.x",
    ],
)
def test_only_the_packages_of_spark_s_own_stages_count(tmp_path, name):
    """A prefix is not enough: PySpark imports the module that is named."""
    with pytest.raises(UnsupportedFlavor, match="not Spark's own"):
        read_spec(stage(tmp_path / "m", name, "u", {}), environment="ignore")


@pytest.mark.parametrize(
    "evil", ["evil.module.Klass", f"{FEATURE}SQLTransformer", "org.apache.spark.ml.PipelineModel"]
)
@pytest.mark.parametrize("place", ["classifier", "model_0", "classifier/classifier"])
def test_what_one_vs_rest_holds_is_looked_at_too(tmp_path, evil, place):
    """Spark imports the classes that are named there; only its own classifiers may stand there."""
    columns = {"featuresCol": "features", "predictionCol": "prediction"}
    package = "org.apache.spark.ml.classification."
    path = stage(
        tmp_path / "m", f"{package}OneVsRestModel", "o", columns, numClasses=2, numFeatures=3
    )
    for inner in ("classifier", "model_0", "model_1"):
        stage(tmp_path / "m" / inner, LOGISTIC, inner, {}, numFeatures=3)
    read_spec(path, trust="never", environment="ignore")
    where = tmp_path / "m" / place / "metadata" / "part-00000-x-c000.txt"
    if where.exists():
        where.write_text(where.read_text().replace(LOGISTIC, evil))
    else:
        stage(where.parent.parent, evil, "e", {})

    with pytest.raises(UnsupportedFlavor, match=r"no classifier of Spark's own"):
        read_spec(path, trust="never", environment="ignore")


def test_the_metadata_is_one_line_whatever_its_file_is_called(tmp_path):
    """Spark takes the first line of all files there, so a second one could be another class."""
    path = bank(tmp_path / "m")
    (tmp_path / "m" / "metadata" / "a").write_text("{}")

    with pytest.raises(ModelUnreadable, match="not what Spark ML writes"):
        read_spec(path, environment="ignore")


def test_a_search_without_its_best_model_is_refused(tmp_path):
    """Its reader would import the classes of the other models in it."""
    name = "pyspark.ml.tuning.CrossValidatorModel"
    with pytest.raises(UnsupportedFlavor, match="holds no bestModel"):
        read_spec(stage(tmp_path / "m", name, "cv", {}), environment="ignore")


def test_the_table_of_classes_is_spark_s_own():
    """The transformers and models among the public names of `pyspark.ml`, all and no other."""
    import importlib

    from pyspark.ml import Estimator, Transformer

    from sparkml.models.flavors.spark_ml_classes import CLASSIFIERS, STAGES

    def public(package, kind):
        module = importlib.import_module(f"pyspark.ml.{package}")
        found = {name: getattr(module, name) for name in module.__all__}
        return {n for n, c in found.items() if isinstance(c, type) and issubclass(c, kind)}

    for package, names in STAGES.items():
        assert public(package, Transformer) == set(names), package
    assert public("classification", Estimator) == set(CLASSIFIERS)


@pytest.mark.parametrize("odd", [5, True, [5], [[]], {"a": 1}, "x" * 5000, "\u0000", None])
@pytest.mark.parametrize(
    "key", ["stageUids", "inputCol", "inputCols", "featuresCol", "layers", "size", "numFeatures"]
)
def test_params_of_another_type_are_a_coded_error(tmp_path, key, odd):
    """A stage's, or the pipeline's; never a raw exception."""
    name, uid, params, data, defaults = logistic()
    path = pipeline(tmp_path / "m", (name, uid, {**params, key: odd}, data, defaults))
    if key == "stageUids":
        path = stage(tmp_path / "n", "org.apache.spark.ml.PipelineModel", "p", {key: odd})
    with contextlib.suppress(SparkMLError):
        read_spec(path, trust="never", environment="ignore")


@pytest.mark.parametrize(
    "line",
    ["[" * 5000, '{"class": ["a"], "uid": 1, "paramMap": {}}', "5", "null", '{"class": "x"}', ""],
)
def test_metadata_that_is_none_is_a_coded_error(tmp_path, line):
    """Deep, odd, empty."""
    path = stage(tmp_path / "m", LOGISTIC, "lr", {})
    (tmp_path / "m" / "metadata" / "part-00000-x-c000.txt").write_text(line + "\n")
    with pytest.raises(ModelUnreadable):
        read_spec(path, environment="ignore")
