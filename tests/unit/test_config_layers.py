"""Defaults < YAML < environment < --set, and where each value came from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkml.config import load_config
from sparkml.config.layers import _split_set
from sparkml.config.mistakes import dotted
from sparkml.errors import ConfigError

JOB = """\
models:
  Wine:
    uri: models:/wine@champion
    nulls: quarantine
source: {format: delta, path: in}
key: [id]
rename:
  mean.radius: mean_radius
spark:
  conf: {spark.sql.ansi.enabled: true}
sink:
  format: delta
  path: out
keep: "*"
"""


@pytest.fixture
def load(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "job.yaml").write_text(JOB, encoding="utf-8")

    def _load(*sets, **env):
        return load_config("job.yaml", sets=sets, env=env)

    return _load


def test_later_layers_win(load):
    """The file, over it the environment, over that the command line."""
    assert load().config.sink.path == "out"
    assert load(SPARKML__SINK__PATH="env").config.sink.path == "env"
    assert load("sink.path=set", SPARKML__SINK__PATH="env").config.sink.path == "set"
    assert load("sink.path=a", "sink.path=b").config.sink.path == "b"


def test_each_value_says_where_it_came_from(load):
    """The origin of every key: a line, a variable, the command line, or the default."""
    loaded = load("trust=never", SPARKML__SINK__PATH="env")
    expected = {
        "models.Wine.uri": "job.yaml:3",
        "models.Wine.nulls.*": "job.yaml:4",
        "models.Wine.flavor": "default",
        "source.path": "job.yaml:5",
        'rename."mean.radius"': "job.yaml:8",
        'spark.conf."spark.sql.ansi.enabled"': "job.yaml:10",
        "sink.format": "job.yaml:12",
        "sink.path": "environment SPARKML__SINK__PATH",
        "sink.mode": "default",
        "key": "job.yaml:6",
        "trust": "--set",
        "max_quarantine": "default",
    }
    assert {key: loaded.origins[key] for key in expected} == expected


def test_every_value_has_an_origin(load):
    """What a plan prints: each key, its plain value, its origin."""
    rows = {key: (value, origin) for key, value, origin in load("batch_rows=5").rows()}
    assert rows["batch_rows"] == (5, "--set")
    assert rows["models.Wine.nulls.*"] == ("quarantine", "job.yaml:4")
    assert rows["steps"] == ([], "default")


def test_a_value_is_yaml(load):
    """Lists, mappings, numbers and nulls from the command line and the environment."""
    config = load(
        "keep=[a, mean.radius]",
        "source.options={mergeSchema: true}",
        "max_quarantine=5e-2",
        "sink.partition.d=2026-11-21",
        "sink.mode=null",
        SPARKML__BATCH_ROWS="100",
        SPARKML__SPARK__CONF="{spark.x: 1}",
    ).config
    assert config.keep == ("a", "mean.radius")
    assert config.source.options == {"mergeSchema": "true"}
    assert (config.max_quarantine, config.batch_rows) == (0.05, 100)
    assert config.sink.partition == {"d": "2026-11-21"}
    assert config.sink.mode == "replace"
    assert config.spark.conf == {"spark.x": "1"}  # replaces what stood at the key


@pytest.mark.parametrize("sign", ["*", "|", "#", "`", "@", "%", "&", "!", ">", ","])
def test_a_sign_that_yaml_reserves_is_text(load, sign):
    """`keep=*` and a separator need no second quotes."""
    assert load(f"result={sign}").config.result == sign


def test_keep_takes_a_star(load):
    """`--set keep=*` keeps every column."""
    assert load("keep=*").config.keep == "*"


def test_a_key_with_a_dot_is_quoted(load):
    """Quotes hold a name together; a backslash takes the next sign as it is."""
    config = load(
        'rename."mean.radius"=r',
        'rename."a=b"=c',
        r'rename."q\"q"=d',
        "rename.with space=e",
        'spark.conf."spark.sql.ansi.enabled"=false',
    ).config
    expected = {"mean.radius": "r", "a=b": "c", 'q"q': "d", "with space": "e"}
    assert config.rename == expected
    assert config.spark.conf == {"spark.sql.ansi.enabled": "false"}


@given(st.lists(st.text(min_size=1), min_size=1, max_size=4), st.text())
def test_set_reads_what_origins_writes(path, value):
    """Any key can be copied from a plan into --set."""
    keys = [key for key in path if key.strip() == key and key.isprintable()]
    if keys:
        assert _split_set(f"{dotted(tuple(keys))}={value}") == (keys, value)


def test_the_environment_does_not_care_about_case(load):
    """`SPARKML__MODELS__WINE__URI` reaches the model that the file calls `Wine`."""
    config = load(SPARKML__MODELS__WINE__URI="m.skops", sparkml__trust="never").config
    assert config.models["Wine"].uri == "m.skops"
    assert config.trust == "never"


def test_other_variables_are_not_ours(load):
    """Only the prefix with two underscores is read."""
    assert load(SPARKML_HOME="x", SPARKML="y", PATH="z").config.sink.path == "out"


def test_the_process_environment_is_the_default(tmp_path, monkeypatch):
    """Without `env`, the real variables count."""
    file = tmp_path / "job.yaml"
    file.write_text(JOB, encoding="utf-8")
    monkeypatch.setenv("SPARKML__SINK__PATH", "real")
    assert load_config(file).config.sink.path == "real"


def test_a_section_can_be_made_from_outside(load):
    """A key in a section that the file leaves out; a model that it does not name."""
    config = load("workers.tuned=false", "models.b.uri=b.skops").config
    assert not config.workers.tuned
    assert set(config.models) == {"Wine", "b"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sink.path", "cannot read 'sink.path' | --set | fix: write KEY=VALUE"),
        ("=x", "cannot read '=x'"),
        ("a..b=x", "cannot read 'a..b=x'"),
        ('a."b=x', "cannot read"),
        ("keep=[a", "the value of 'keep': not YAML"),
        ("keep={a: b, a: c}", "the value of 'keep': a mapping with 'a' twice"),
        ("result=!!python/name:os.system", None),
        ("keep=\n- !!python/name:os.system x", "the value of 'keep': the tag"),
        ("key.x=1", "'key' is a list | --set | fix: set it whole: key=[…]"),
    ],
)
def test_a_setting_that_cannot_be_read_is_named(load, text, said):
    """The text, and what to write instead; a tag is text or an error, never an object."""
    if said is None:
        assert load(text).config.result == text.partition("=")[2]
        return
    with pytest.raises(ConfigError) as caught:
        load(text)
    assert caught.value.problems[0].startswith(said)


def test_a_variable_without_a_key_is_named(load):
    """`SPARKML__` alone, or with an empty part, is a slip."""
    with pytest.raises(ConfigError, match="no key stands there"):
        load(SPARKML__="x")
    with pytest.raises(ConfigError, match="environment SPARKML__SINK____PATH"):
        load(SPARKML__SINK____PATH="x")
