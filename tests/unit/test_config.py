"""A configuration: what it takes, what it refuses, and how it says so."""

import subprocess
import sys
from pathlib import Path

import pytest

from sparkml.config import CsvSource, DeltaSink, DeltaSource, JobConfig, SqlSource, load_config
from sparkml.errors import ConfigError
from sparkml.spec import Field, NullPolicy

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "conf").glob("score.*.yaml"))

SMALL = """\
models:
  wine:
    uri: models:/wine@champion
source:
  format: delta
  path: in
key: [id]
sink:
  format: delta
  path: out
"""


@pytest.fixture
def load(tmp_path):
    def _load(text, *, sets=(), env=None):
        file = tmp_path / "job.yaml"
        file.write_text(text, encoding="utf-8")
        return load_config(file, sets=sets, env=env or {})

    return _load


@pytest.fixture
def problems(load):
    def _problems(text, **layers):
        with pytest.raises(ConfigError) as caught:
            load(text, **layers)
        return caught.value.problems

    return _problems


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.name)
def test_every_example_loads(path):
    """The files that users copy are right, and say where their scores go."""
    config = load_config(path, env={}).config
    assert config.sink.path.startswith(".demo/scores/")
    assert config.result is not None


def test_there_is_an_example_for_each_model_of_the_demo():
    """One file each, and one for the bank table."""
    assert {p.name.split(".")[1] for p in EXAMPLES} >= {"wine", "breast_cancer", "digits", "bank"}


def test_what_is_left_out_has_the_documented_default(load):
    """A job is four keys; everything else has a default."""
    config = load(SMALL).config
    assert config.source == DeltaSource(format="delta", path="in")
    assert config.sink == DeltaSink(format="delta", path="out")
    assert (config.trust, config.environment) == ("always", "warn")
    assert (config.max_quarantine, config.batch_rows, config.keep) == (0.01, None, ())
    assert config.workers.tuned
    assert config.models["wine"].nulls is None


def test_a_configuration_is_frozen(load):
    """A job is a value."""
    with pytest.raises(ValueError, match="frozen"):
        load(SMALL).config.trust = "never"


def test_every_key_can_be_set(load):
    """The whole shape, once."""
    text = """\
models:
  risk:
    uri: runs:/abc/model
    flavor: pyfunc
    nulls: {"*": fail, hue: {fill: 0.0}, ash: model}
    signature: "hue: double, `mean radius`: float64, v: list<double>[64], c: str? -> p: double"
    params: {alpha: 0.5}
    model_config: {device: cpu}
registry: {tracking_uri: "http://localhost:5000", registry_uri: "sqlite:///r.db"}
trust: promised
environment: error
source:
  format: sql
  query: SELECT * FROM a JOIN b USING (id)
  views:
    a:
      format: csv
      path: a.csv
      header: false
      schema: "age INT"
      options: {sep: ";", maxColumns: 9, multiLine: true}
    b: {format: table, table: main.b}
  where: id > 3
  columns: [id, hue]
steps: [{column: month_no, expr: month(d)}]
key: id
keep: "*"
rename: {mean radius: mean_radius}
batch_rows: 1000
max_quarantine: 0
sink:
  format: delta
  path: out
  mode: append
  partition: {d: 2026-11-21}
  partition_by: [d]
  schema: merge
  column_mapping: name
  run_key: 20261121
result: r.json
spark: {master: "local[2]", conf: {spark.sql.shuffle.partitions: 8, spark.x: true}}
workers: {tuned: false}
"""
    config = load(text).config
    model = config.models["risk"]
    assert model.nulls == {
        "*": NullPolicy(kind="fail"),
        "hue": NullPolicy(kind="fill", value=0.0),
        "ash": NullPolicy(kind="model"),
    }
    assert model.signature.inputs == (
        Field(name="hue", type="double"),
        Field(name="mean radius", type="double"),
        Field(name="v", type="list<double>", length=64),
        Field(name="c", type="string", required=False),
    )
    assert model.model_config_ == {"device": "cpu"}
    assert isinstance(config.source, SqlSource)
    view = config.source.views["a"]
    assert isinstance(view, CsvSource)
    assert (view.schema_, view.header) == ("age INT", False)
    assert view.options == {"sep": ";", "maxColumns": "9", "multiLine": "true"}
    assert (config.key, config.keep) == (("id",), "*")
    assert config.sink.partition == {"d": "2026-11-21"}
    assert (config.sink.schema_, config.sink.run_key) == ("merge", "20261121")
    assert config.spark.conf == {"spark.sql.shuffle.partitions": "8", "spark.x": "true"}
    assert JobConfig.model_validate(config.model_dump(mode="json", by_alias=True)) == config


def test_a_null_is_the_default(load):
    """A section whose keys are all commented out is no mistake."""
    config = load(SMALL + "spark:\nmax_quarantine: null\nrename: ~\n").config
    assert (config.spark.conf, config.max_quarantine, config.rename) == ({}, 0.01, {})


def test_one_word_is_the_policy_of_every_column(load):
    """`nulls: quarantine` and `nulls: {fill: 0}` hold for all columns."""
    text = SMALL.replace("@champion", "@champion\n    nulls: {fill: 0}")
    assert load(text).config.models["wine"].nulls == {"*": NullPolicy(kind="fill", value=0)}


def test_outputs_are_names_in_the_asked_order(load):
    """One alone may stand without a list; none is the model's usual ones."""
    assert load(SMALL).config.models["wine"].outputs == ()
    for written, names in (("margin", ("margin",)), ("[leaf, prediction]", ("leaf", "prediction"))):
        text = SMALL.replace("@champion", f"@champion\n    outputs: {written}")
        config = load(text).config
        assert config.models["wine"].outputs == names
        assert JobConfig.model_validate(config.model_dump(mode="json", by_alias=True)) == config


def test_every_mistake_is_told_at_once(problems):
    """Nobody mends a file one mistake at a time; each names key, place, and fix."""
    text = SMALL.replace("format: delta\n  path: in", "format: detla\n  pth: in")
    text = text.replace("key: [id]", "key: [id, id]\ntrust: alwasy\nbatch_rows: many")
    text += "  mode: replac\n  colour: red\nmax_quarantine: 5\n"
    found = problems(text, sets=["workers.tunned=no"], env={"SPARKML__FOO": "1"})
    expected = [
        ("'source.format'", ":5 |", "did you mean 'delta'?"),
        ("unknown key 'source.pth'", ":6 |", "did you mean 'source.path'?"),
        ("'source.path' is missing", ":4 |", "needed there: format, path"),
        ("'key' names 'id' twice", ":7", ""),
        ("'trust' must be one of always, promised, never", ":8 |", "did you mean 'always'?"),
        ("'batch_rows' must be a whole number, not 'many'", ":9", ""),
        ("'sink.mode' must be one of replace, append", ":13 |", "did you mean 'replace'?"),
        ("unknown key 'sink.colour'", ":14 |", "known: format, path, partition,"),
        ("'max_quarantine'", ":15 |", "a share of the rows"),
        ("unknown key 'workers.tunned'", "--set", "did you mean 'workers.tuned'?"),
        ("unknown key 'foo'", "environment SPARKML__FOO", "known: models, registry"),
    ]
    for what, where, fix in expected:
        assert any(p.startswith(what) and where in p and fix in p for p in found), (what, found)
    assert len(found) == len(expected)


def test_problems_are_told_in_the_order_of_the_file(problems):
    """Top to bottom, then what came from elsewhere."""
    found = problems(SMALL + "zzz: 1\naaa: 2\n", sets=["b.c=1"])
    assert [p.split("'")[1] for p in found] == ["zzz", "aaa", "b"]


def test_a_single_mistake_is_the_error_itself(load, tmp_path):
    """One mistake: the last line says it; several: it counts them."""
    with pytest.raises(ConfigError) as one:
        load(SMALL + "trsut: never\n")
    line = one.value.line()
    where = f"{tmp_path}/job.yaml:11"
    assert line.startswith(f"ERROR CONFIG_INVALID: unknown key 'trsut' | {where} | fix: did you")
    assert one.value.exit_status == 2
    with pytest.raises(ConfigError) as two:
        load(SMALL + "trsut: never\nkeeep: []\n")
    assert two.value.line().startswith(f"ERROR CONFIG_INVALID: 2 problems | {tmp_path}/job.yaml |")


def test_a_key_of_another_format_says_whose_it_is(problems):
    """After a change of format, what is left over of the old one is named as such."""
    text = SMALL.replace("path: out", "path: out\n  run_key: x\n  mode: append")
    (found,) = problems(text, sets=["sink.format=parquet"])
    assert "unknown key 'sink.run_key'" in found
    assert "it is a key of format delta" in found


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("keep: [wine]", "'keep' names 'wine', which is the name of an output column"),
        ("keep: [a, 3]", "'keep' must hold column names only, not 3"),
        ("keep: {a: b}", "'keep' must be a list of column names"),
        ("rename: {id: wine}", "'rename' gives two columns the name 'wine'"),
        ("keep: [a, b]\nrename: {a: x, b: x}", "'rename' gives two columns the name 'x'"),
        (
            "rename: {iid: x}",
            "'rename' names 'iid', which is no output column (did you mean 'id'?)",
        ),
        ("rename: {error: why}", "'rename' renames 'error', which always has this name"),
        ("keep: [provenance]", "'keep' names 'provenance', which is the name of an output column"),
        ("max_quarantine: 1.5", "'max_quarantine' must be less than or equal to 1, not 1.5"),
        ("max_quarantine: true", "'max_quarantine' must be a number, not true"),
        ("max_quarantine: .nan", "'max_quarantine' must be"),
        ("batch_rows: 0", "'batch_rows' must be greater than or equal to 1, not 0"),
        ("batch_rows: '7'", "'batch_rows' must be a whole number, not '7'"),
        ("steps: [{column: a}]", "'steps[0].expr' is missing"),
        ("steps: {a: b}", "'steps' must be a list, not"),
        ("spark: local", "'spark' must be a mapping of keys to values, not 'local'"),
        ("spark: {conf: {a: [1]}}", "'spark.conf.a' must be text, not [1]"),
        ("workers: {tuned: yes}", "'workers.tuned' must be true or false, not 'yes'"),
        ("result: ''", "'result' must not be empty"),
        ("<<: {a: b}", "unknown key '<<'"),
    ],
)
def test_a_wrong_value_is_named(problems, more, said):
    """What is wrong, in words that do not need pydantic's manual."""
    (found,) = problems(SMALL + more + "\n")
    assert found.startswith(said)


@pytest.mark.parametrize(
    ("sink", "said"),
    [
        ("run_key: a", "'sink.run_key' belongs to mode: append"),
        ("partition: {d: 1}\n  partition_by: [e]", "'sink.partition' names 'd', which is not in"),
        ("partition: {}", "'sink.partition' must not be empty"),
        ("options: {a: b}", "unknown key 'sink.options' "),
    ],
)
def test_a_sink_that_contradicts_itself_is_refused(problems, sink, said):
    """Keys that would be ignored are mistakes."""
    (found,) = problems(f"{SMALL}  {sink}\n")
    assert found.startswith(said)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("nulls: quarantin", "'models.wine.nulls' 'quarantin' is no null policy; did you mean"),
        ("nulls: fill", "'models.wine.nulls' 'fill' is no null policy"),
        ("nulls: {a: {fill: [1]}}", "'models.wine.nulls' fill takes one value, not [1]"),
        ("signature: 'a: duble'", "'models.wine.signature' unknown type 'duble'; did you mean 'do"),
        ("signature: 'a'", "'models.wine.signature' column 'a' must read NAME: TYPE"),
        ("signature: 'a: int, a: int'", "'models.wine.signature' names 'a' twice"),
        ("signature: {input: []}", "'models.wine.signature' unknown key 'input'; did you mean"),
        ("signature: {inputs: []}", "'models.wine.signature' names no input"),
        ("urii: x", "unknown key 'models.wine.urii'"),
        ("digest: abc", "'models.wine.digest' must be 64 hexadecimal digits, not 'abc'"),
    ],
)
def test_a_wrong_model_entry_is_named(problems, entry, said):
    """A policy, a type or a key that does not exist, with the nearest that does."""
    (found,) = problems(SMALL.replace("@champion", f"@champion\n    {entry}"))
    assert found.startswith(said)


def test_the_error_column_is_ours(problems):
    """A model cannot take the name of the column that tells what went wrong."""
    (found,) = problems(SMALL.replace("  wine:", "  error:"))
    assert found.startswith("'models' 'error' is the column that tells why")


def test_a_job_does_not_replace_what_it_reads(problems):
    """A source that is also the sink would lose every column that is not kept."""
    for path in ("./in", "in/../in", "in/..", f"{Path.cwd()}/in", f"file://{Path.cwd()}/in"):
        (found,) = problems(SMALL.replace("path: out", f"path: {path}"))
        assert found.startswith("'sink' is the source"), path


def test_a_view_has_a_plain_name(problems):
    """Spark's SQL would take the dash for a minus."""
    view = "{a-b: {format: parquet, path: p}}"
    text = SMALL.replace("format: delta\n  path: in", f"format: sql\n  query: q\n  views: {view}")
    (found,) = problems(text)
    assert "must be a plain name: letters, digits and underscores, not 'a-b'" in found


def test_a_query_over_queries_is_refused(problems):
    """A view is a plain source; the formats that it may have are listed."""
    view = "{format: sql, query: SELECT 1}"
    text = SMALL.replace(
        "format: delta\n  path: in", f"format: sql\n  query: q\n  views: {{a: {view}}}"
    )
    (found,) = problems(text)
    said = "'source.views.a.format' must be one of delta, parquet, csv, table, not 'sql'"
    assert found.startswith(said)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: int -> b: float", ["a int32", "b float"]),
        ("`a, b -> c`: decimal(10, 2)", ["a, b -> c decimal128(10, 2)"]),
        ("`it``s`: timestamp[us, tz=UTC]", ["it`s timestamp[us, tz=UTC]"]),
        ("d: date, t: array<str>", ["d date32[day]", "t list<string>"]),
        ("größe: BIGINT", ["größe int64"]),
    ],
)
def test_a_signature_may_be_a_line_of_text(load, text, expected):
    """Types are Arrow's, their synonyms are understood, and any name can be quoted."""
    config = load(SMALL, sets=[f"models.wine.signature='{text}'"]).config
    signature = config.models["wine"].signature
    assert [f"{f.name} {f.type}" for f in (*signature.inputs, *signature.outputs)] == expected


def test_importing_the_configuration_loads_nothing_heavy():
    """Help and configuration errors must not wait for NumPy, Arrow, Spark or MLflow."""
    code = "import sys, sparkml.config; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & {"numpy", "pyarrow", "pandas", "pyspark", "py4j", "mlflow", "sklearn"}
