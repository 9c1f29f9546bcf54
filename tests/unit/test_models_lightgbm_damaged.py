"""The LightGBM flavor on files that the library would die of, or hang in."""

from __future__ import annotations

import json
import re
import zipfile
from dataclasses import replace

import lightgbm
import mlflow.lightgbm
import pytest
import skops.io

from sparkml import load_scorer, read_spec
from sparkml.models.digest import digest_of
from sparkml.models.flavors.lightgbm_text import check_parameters
from tests.hostile.opening import DIED, FINE, HUNG, REFUSED, opened_first
from tests.lightgbm_models import FRAME, QUIET, SIGN, THIRDS, stored, trained, with_categories

PINNED = {"pip_requirements": ["lightgbm"]}  # asked for, MLflow would take seconds to find out

# MLflow warns about its own type hints while it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def opened(tmp_path):
    """How the opening of a text ends, in a process of its own."""

    def opened(text):
        folder = tmp_path / "opened"
        folder.mkdir(exist_ok=True)
        (folder / "model.txt").write_text(text, encoding="utf-8")
        return opened_first(folder)

    return opened


DAMAGES = {
    "empty": lambda text: "",
    "words": lambda text: "hello\n",
    "cut in half": lambda text: text[: len(text) // 2],
    "cut in the head": lambda text: text[:200],
    "a NUL in the head": lambda text: text.replace("objective=", "object\0ive=", 1),
    "without its last tree": lambda text: text[: text.rindex("\nTree=")] + "\n\nend of trees\n",
    "a value too few": lambda text: re.sub(r"(leaf_value=.*) \S+\n", r"\1\n", text, count=1),
    "a value that is none": lambda text: re.sub(r"(leaf_value=.*)\n", r"\1x\n", text, count=1),
    "a size too large": lambda text: re.sub(r"(tree_sizes=\d+) \d+", r"\1 9999999999", text),
}
DISAGREEMENTS = {
    "newer": (lambda text: text.replace("version=v4", "version=v9", 1), "LightGBM newer"),
    "a size too few": (
        lambda t: re.sub(r"(tree_sizes=.*) \d+\n", r"\1\n", t),
        "trees are not those",
    ),
    "a line twice": (
        lambda t: without_sizes(t).replace(
            "left_child=", "left_child=4 2 -2 4 -3 -1\nleft_child=", 1
        ),
        "trees are not those",
    ),
    "classes": (lambda t: t.replace("num_class:3", "num_class:100000000"), "number of classes"),
    "more classes": (
        lambda t: t.replace("num_class=3", "num_class=100000000"),
        "number of classes",
    ),
    "classes a round": (
        lambda t: t.replace("num_tree_per_iteration=3", "num_tree_per_iteration=2"),
        "number of classes",
    ),
    "a child outside": (
        lambda t: re.sub(
            r"left_child=.*", "left_child=99 99 99 99 99 99", without_sizes(t), count=1
        ),
        "are no tree",
    ),
    "a feature outside": (
        lambda t: re.sub(r"split_feature=\d", "split_feature=3", without_sizes(t), count=1),
        "a feature that there is not",
    ),
}


def without_sizes(text):
    """The library finds its trees without them too, and takes them as they come."""
    return re.sub(r"tree_sizes=.*\n", "", text)


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_text_ends_where_it_is_opened_first(how, opened):
    """LightGBM raises, ends the process or goes on for ever."""
    text = trained("binary", SIGN).model_to_string()
    assert opened(text).how == FINE
    assert opened(DAMAGES[how](text)).how in (REFUSED, DIED, HUNG)


@pytest.mark.parametrize(
    ("there", "instead"), [("end of parameters", "lazy of parameters"), ("[num_gpu: 1]", "num_gpu")]
)
def test_parameters_that_lead_out_of_the_text_are_refused_whatever_became_of_it(
    there, instead, opened
):
    """The library dies of them now and then: what it came through once says nothing."""
    text = trained("binary", SIGN).model_to_string()
    check_parameters(text)
    with pytest.raises(ValueError, match="parameters are no list"):
        check_parameters(text.replace(there, instead, 1))
    assert opened(text.replace(there, instead, 1)).how in (REFUSED, DIED)


@pytest.mark.parametrize("how", DISAGREEMENTS)
def test_what_the_library_reads_and_would_follow_is_refused(how, opened):
    """It opens each of these, and dies or scores otherwise later, now and then at once."""
    damage, said = DISAGREEMENTS[how]
    text = trained("multiclass", THIRDS, num_class=3, rounds=2).model_to_string()
    ended = opened(damage(text))
    assert ended.how in (REFUSED, DIED), ended.told
    assert ended.how == DIED or said in ended.told


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("left_child", lambda _: "0", "no tree"),
        ("right_child", lambda given: given.split()[-1], "no tree"),
        ("cat_boundaries", lambda given: given.split()[-1], "do not part"),
        ("threshold", lambda _: "99", "a set of categories that there is not"),
    ],
)
def test_a_tree_that_is_none_is_refused(name, value, said, opened):
    """The library would go round in it for ever, or read beyond its end."""
    frame = with_categories()
    target = frame["city"].cat.codes + frame["class"].astype(int)
    booster = trained("regression", target, frame, rounds=1, min_data_per_group=1, cat_smooth=0)
    text = without_sizes(booster.model_to_string())
    given = line(text, name).partition("=")[2]
    many = " ".join([value(given)] * len(given.split()))
    ended = opened(text.replace(f"{name}={given}", f"{name}={many}", 1))
    assert ended.how == REFUSED, ended.told
    assert said in ended.told


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("leaf_features=0 ", "leaf_features=900000000 ", "a feature that there is not"),
        ("num_features=1 1", "num_features=-5 7", "trees are not those"),  # read before its memory
    ],
)
def test_a_leaf_s_line_of_features_that_there_are_not_is_refused(before, after, said, opened):
    """Linear trees: a row that comes to that leaf would end the process."""
    booster = trained("regression", FRAME["age"], rounds=2, linear_tree=True)
    text = without_sizes(booster.model_to_string())
    assert before in text
    assert opened(text).how == FINE
    ended = opened(text.replace(before, after, 1))
    assert ended.how == REFUSED, ended.told
    assert said in ended.told


def line(text, name):
    return next(line for line in text.splitlines() if line.startswith(name + "="))


def test_a_worker_does_not_look_at_the_trees_again(tmp_path, opened):
    """The digest says that they are those that `read_spec` looked at: opening costs a load."""
    booster = trained("binary", SIGN)
    spec = read_spec(stored(booster, tmp_path))
    text = DISAGREEMENTS["newer"][0](booster.model_to_string())  # of all the harmless one
    folder = tmp_path / "shipped"
    folder.mkdir()
    (folder / "model.txt").write_text(text)

    load_scorer(replace(spec, digest=digest_of(folder)), folder)
    assert opened(text).how == REFUSED


def reworked(path, change):
    """Change the text of the booster in a skops file, in place."""
    with zipfile.ZipFile(path) as archive:
        schema = json.loads(archive.read("schema.json"))
        others = {n: archive.read(n) for n in archive.namelist() if n != "schema.json"}
    node = schema["content"]["content"]["_Booster"]["content"]["content"]["_handle"]
    node["content"] = json.dumps(change(json.loads(node["content"])))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("schema.json", json.dumps(schema))
        for name, content in others.items():
            archive.writestr(name, content)


@pytest.mark.parametrize("flavor", ["lightgbm", "sklearn"])
def test_a_damaged_text_in_a_skops_file_is_refused(flavor, tmp_path):
    """As a wrapper of MLflow's and as a bare file."""
    model = lightgbm.LGBMClassifier(n_estimators=4, n_jobs=1, **QUIET)
    model.fit(FRAME.to_numpy(), SIGN)
    folder = tmp_path / "m"
    if flavor == "lightgbm":
        mlflow.lightgbm.save_model(model, folder, serialization_format="skops", **PINNED)
        (path,) = (p for p in folder.iterdir() if zipfile.is_zipfile(p))
    else:
        folder.mkdir()
        path = folder / "model.skops"
        skops.io.dump(model, path)
    assert flavor == read_spec(str(folder)).flavor
    reworked(path, DISAGREEMENTS["a child outside"][0])

    ended = opened_first(folder)
    assert ended.how == REFUSED, ended.told
    assert "are no tree" in ended.told
