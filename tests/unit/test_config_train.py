"""A training configuration: what it takes, what it refuses, and how it says so."""

from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException
from mlflow.utils.validation import (
    _validate_model_alias_name,
    _validate_model_alias_name_reserved,
    _validate_model_name,
)

from sparkml.config import JobConfig, ParquetSource, TrainConfig, load_as
from sparkml.config.train import movable, registrable
from sparkml.errors import ConfigError
from sparkml.spark.sources import describe

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "conf").glob("train.bank*.yaml"))

SMALL = """\
source: {format: parquet, path: in}
categorical: [job]
numeric: [age]
label: y
model: {flavor: spark}
"""


@pytest.fixture
def load(tmp_path):
    def _load(text, *sets, env=None):
        file = tmp_path / "train.yaml"
        file.write_text(text, encoding="utf-8")
        return load_as(TrainConfig, file, sets=sets, env=env or {})

    return _load


@pytest.fixture
def problem(load):
    def _problem(text, *sets):
        with pytest.raises(ConfigError) as caught:
            load(text, *sets)
        (only,) = caught.value.problems
        return only

    return _problem


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.name)
def test_the_examples_load(path):
    """The files that users copy register a model and split by a column."""
    config = load_as(TrainConfig, path, env={}).config
    assert config.register_.alias == "champion"
    assert set(config.split.by) <= {step.column for step in config.steps}


def test_the_bank_is_scored_with_the_columns_that_it_was_trained_on():
    """The same source, steps and key in the three files: they cannot drift apart."""
    scoring = load_as(JobConfig, ROOT / "conf/score.bank.yaml", env={}).config
    assert len(EXAMPLES) == 2
    for path in EXAMPLES:
        training = load_as(TrainConfig, path, env={}).config
        assert scoring.source == training.source
        assert scoring.steps == training.steps
        assert scoring.key == training.key
    sklearn = load_as(TrainConfig, ROOT / "conf/train.bank_sklearn.yaml", env={}).config
    assert f"models:/{sklearn.register_.name}@{sklearn.register_.alias}" == (
        scoring.models["bank"].uri
    )


def test_what_is_left_out_has_the_documented_default(load):
    """Three keys and some features; everything else has a default."""
    config = load(SMALL).config
    assert config.features == ("job", "age")
    assert (config.split.train, config.split.seed, config.split.by) == (0.7, 0, ())
    assert (config.evaluate.threshold, config.evaluate.bins) == (0.5, 10)
    assert (config.positive, config.register_, config.predictions) == (None, None, None)


def test_values_come_from_all_layers_with_their_origin(load):
    """The same layers as a scoring job's."""
    loaded = load(SMALL, "split.seed=3", env={"SPARKML__MODEL__PARAMS": "{regParam: 0.1}"})
    origins = {key: origin for key, _, origin in loaded.rows()}
    assert (loaded.config.split.seed, origins["split.seed"]) == (3, "--set")
    assert loaded.config.model.params == {"regParam": 0.1}
    assert origins["model.params.regParam"] == "environment SPARKML__MODEL__PARAMS"
    assert origins["label"].endswith("train.yaml:4")
    assert origins["evaluate.bins"] == "default"


def test_a_configuration_survives_its_plain_values(load):
    """What `model_dump` gives makes an equal one."""
    config = load(SMALL, "register={name: bank, alias: champion}").config
    assert TrainConfig.model_validate(config.model_dump(mode="json", by_alias=True)) == config


@pytest.mark.parametrize(
    ("change", "what", "fix"),
    [
        ("split.train=1.0", "'split.train' must be less than 1, not 1.0", ""),
        ("split.train=0", "'split.train' must be greater than 0, not 0", ""),
        ("split.train=.nan", "'split.train' must be a finite number", ""),
        ("model.flavor=spork", "'model.flavor' must be one of spark, sklearn", "mean 'spark'?"),
        ("model={}", "'model.flavor' is missing", "one of spark, sklearn"),
        ("model.sample_rows=9", "unknown key 'model.sample_rows'", "a key of flavor sklearn"),
        ("model={flavor: sklearn}", "'model.estimator' is missing", "flavor, estimator"),
        (
            "model={flavor: sklearn, estimator: churn}",
            "'model.estimator' must read package.module:name, not 'churn'",
            "",
        ),
        ("numeric=[job]", "'numeric' names 'job', which is categorical already", ""),
        ("label=age", "'label' is 'age', which 'numeric' gives to the model as well", ""),
        ("key=[prediction]", "'key' names 'prediction', which is the name of an output", ""),
        ("key=[Label]", "'key' names 'Label', which is the name of an output", ""),
        ("key=[_ROW]", "'key' names '_ROW', a name that training keeps for itself", ""),
        ("numeric=[_target]", "'numeric' names '_target', a name that training keeps", ""),
        ("categorical=[_Score]", "'categorical' names '_Score', a name that training keeps", ""),
        ("register.name=a/b", "'register.name' must be a name without '/', ':'", ""),
        ('register.name="a:b"', "'register.name' must be a name without '/', ':'", ""),
        ("register={name: a, alias: the best}", "'register.alias' must be letters, digits", ""),
        ("register={name: a, alias: V12}", "'register.alias' is 'V12', which MLflow keeps", ""),
        ("register={name: a, alias: Latest}", "'register.alias' is 'Latest', which MLflow", ""),
        ("positive=[1]", "'positive' must be text, a number, true or false, not [1]", ""),
        ("predictions=./in", "'predictions' is the source", ""),
        ("evaluate.threshold=2", "'evaluate.threshold' must be less than or equal to 1", ""),
        ("positve=yes", "unknown key 'positve'", "did you mean 'positive'?"),
        ("source.formt=csv", "unknown key 'source.formt'", "did you mean 'source.format'?"),
    ],
)
def test_a_mistake_is_one_line_with_its_fix(problem, change, what, fix):
    """The key, what is wrong, where it came from."""
    told = problem(SMALL, change)
    assert told.startswith(what)
    assert "--set" in told
    assert fix in told


def test_a_model_without_features_is_refused(problem):
    """There is nothing to learn from."""
    assert "'model' has no features" in problem(SMALL, "categorical=[]", "numeric=[]")


def test_an_empty_file_names_the_keys_of_a_training_job(problem):
    """Not those of a scoring job."""
    assert "it needs source, label and model" in problem("")


@pytest.mark.parametrize("text", ["a", "ü b.c", " ", "a/b", "a:b", ".", "..", "..a", ".a", "v1"])
def test_a_registered_model_is_named_as_mlflow_wants_it(text):
    """Its own check refuses the same names."""
    assert accepted(_validate_model_name, text) == accepted(registrable, text)


@pytest.mark.parametrize(
    "text", ["a", "ü-1_b", "a b", "a.b", "v12", "V1", "v", "v1a", "LATEST", "12", "a" * 256]
)
def test_an_alias_is_written_as_mlflow_wants_it(text):
    """Its own two checks refuse the same ones."""

    def theirs(alias):
        _validate_model_alias_name(alias)
        _validate_model_alias_name_reserved(alias)

    assert accepted(theirs, text) == accepted(movable, text)


def accepted(check, text):
    try:
        check(text)
    except (ValueError, MlflowException):
        return False
    return True


def test_a_password_of_a_source_is_not_told():
    """Neither in a line of progress nor among the params that are logged."""
    source = ParquetSource.model_construct(format="parquet", path="https://me:secret@host/in")
    assert describe(source) == "parquet https://me:***@host/in"
