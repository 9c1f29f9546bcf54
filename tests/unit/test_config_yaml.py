"""The file itself: safe, small, and unsurprising."""

import math

import pytest

from sparkml.config import load_config
from sparkml.config.yaml_text import BadYaml, read_yaml
from sparkml.errors import ConfigError


def _refused(tmp_path, text):
    file = tmp_path / "job.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as caught:
        load_config(file, env={})
    return str(caught.value).replace(f"{tmp_path}/", "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty | job.yaml | fix: "),
        ("# nothing\n", "the file is empty"),
        ("- a\n- b\n", "the file holds no mapping | job.yaml:1"),
        ("just words\n", "the file holds no mapping"),
        ("a: [1, 2\n", "not YAML: "),
        ("a: b: c\n", "not YAML: mapping values are not allowed"),
        ("a: 1\n---\nb: 2\n", "a second document starts here | job.yaml:2"),
        ("a: *b\n", "the alias *b has no anchor before it | job.yaml:1"),
        ("a: &a [*a]\n", "the alias *a has no anchor before it"),
        ("a: !!python/object/apply:os.system [true]\n", "the tag 'tag:yaml.org,2002:python/object"),
        ("a: !mine x\n", "the tag '!mine' is refused"),
        ("? [a, b]\n: c\n", "a key must be plain text | job.yaml:1"),
        ("a: " + "[" * 200 + "]" * 200, "nested deeper than 32 levels"),
        ("a: " + "[" * 100_000, "nested deeper than 32 levels"),
        (b"a: \xff\n", "not UTF-8 text | job.yaml:1"),
        ("a: \x01\n", "not YAML: "),
        ("a: " + "x" * 1_000_001, "the file is too large | job.yaml | fix: a configuration has at"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path, text, said):
    """One clear sentence, with the line, for each."""
    assert _refused(tmp_path, text).startswith(said)


def test_an_alias_bomb_is_refused(tmp_path):
    """Nine levels of nine aliases would be 387 million values; they are counted, not made."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    assert "more than 20000 values" in _refused(tmp_path, "\n".join(lines))


def test_a_key_that_stands_twice_is_a_mistake(tmp_path):
    """With both lines, and beside the other mistakes."""
    file = tmp_path / "job.yaml"
    file.write_text("trust: always\nsource: {format: delta, path: a, path: b}\ntrust: nver\n")
    with pytest.raises(ConfigError) as caught:
        load_config(file, env={})
    found = [p.replace(f"{tmp_path}/", "") for p in caught.value.problems]
    assert (
        "the key 'trust' stands twice | job.yaml:3 | fix: keep one; the other is on line 1" in found
    )
    assert any(p.startswith("the key 'source.path' stands twice | job.yaml:2") for p in found)
    assert any(p.startswith("'trust' must be one of") for p in found)


def test_a_missing_file_names_its_neighbours(tmp_path):
    """The nearest YAML file of the folder, all of them when none is near, or why there is none."""
    for name in ("score.wine.yaml", "other.yml", "notes.txt"):
        (tmp_path / name).touch()
    with pytest.raises(ConfigError, match=r"did you mean 'score\.wine\.yaml'\?"):
        load_config(tmp_path / "score.win.yaml", env={})
    with pytest.raises(ConfigError, match=r"known: 'other\.yml', 'score\.wine\.yaml'"):
        load_config(tmp_path / "qqqq.yaml", env={})
    with pytest.raises(ConfigError, match="does not exist"):
        load_config(tmp_path / "no" / "score.yaml", env={})
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path, env={})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-11-21", "2026-11-21"),
        ("12:30", "12:30"),
        ("010", "010"),
        ("1_000", "1_000"),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("-7", -7),
        ("1e-3", 0.001),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1.", 1.0),
        ("-.inf", -math.inf),
        (".inf", math.inf),
        ("'1'", "1"),
        ('"true"', "true"),
        ("1.2.3", "1.2.3"),
        (";", ";"),
        ("{1: a, true: b, null: c}", {"1": "a", "true": "b", "null": "c"}),
        ("models:/wine@champion", "models:/wine@champion"),
    ],
)
def test_plain_words_mean_what_they_say(text, value):
    """YAML 1.2's core rules: no dates, no octal, no sexagesimal numbers, no Norway problem."""
    read = read_yaml(text).value
    assert read == value
    assert type(read) is type(value)


def test_nan_is_a_number():
    """`.nan` is read as YAML says."""
    assert math.isnan(read_yaml(".nan").value)


def test_an_alias_is_a_copy_on_its_own_line():
    """Shared settings may be written once; the origin is where they are used."""
    document = read_yaml("a: &a {x: [1]}\nb: *a\n")
    assert document.value == {"a": {"x": [1]}, "b": {"x": [1]}}
    assert document.value["a"]["x"] is not document.value["b"]["x"]
    assert document.lines[("b", "x", 0)] == 2


def test_lines_are_counted_from_one():
    """As editors do."""
    assert read_yaml("a: 1\nb:\n  - c: 2\n").lines == {
        (): 1,
        ("a",): 1,
        ("b",): 2,
        ("b", 0): 3,
        ("b", 0, "c"): 3,
    }


def test_a_tag_is_refused_wherever_it_stands():
    """Even a harmless one: values are plain."""
    for text in ("!!str 1", "[!!int '1']", "!!set {a, b}", "{!!str a: b}"):
        with pytest.raises(BadYaml):
            read_yaml(text)
