"""The LightGBM flavor on files that the library would die of, or hang in."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace

import lightgbm
import mlflow.lightgbm
import pytest
import skops.io

from sparkml import load_scorer, read_spec
from sparkml.errors import ModelUnreadable
from sparkml.models.digest import digest_of
from tests.lightgbm_models import FRAME, QUIET, SIGN, stored, trained, with_categories

PINNED = {"pip_requirements": ["lightgbm"]}  # asked for, MLflow would take seconds to find out

# MLflow warns about its own type hints while it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))


def damaged(text: str) -> dict[str, str]:
    leaf = next(line for line in text.splitlines() if line.startswith("leaf_value="))
    child = next(line for line in text.splitlines() if line.startswith("left_child="))
    return {
        "empty": "",
        "words": "hello\n",
        "cut in half": text[: len(text) // 2],
        "cut in the head": text[:200],
        "without its last tree": text[: text.rindex("\nTree=")] + "\n\nend of trees\n",
        "a value too few": text.replace(leaf, leaf.rpartition(" ")[0], 1),
        "a value that is none": text.replace(leaf, leaf + "x", 1),
        "a child outside": text.replace(child, "left_child=" + "99 " * child.count(" ") + "99", 1),
        "newer": text.replace("version=v4", "version=v9", 1),
    }


def line(text, name):
    return next(line for line in text.splitlines() if line.startswith(name + "="))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("left_child", lambda _: "0", "no tree"),
        ("right_child", lambda given: given.split()[-1], "no tree"),
        ("cat_boundaries", lambda _: "900000000", "do not part"),
        ("num_cat", lambda given: str(int(given) + 1), "do not part"),
        ("threshold", lambda _: "99", "categories that there are not"),
    ],
)
def test_a_tree_that_is_none_is_refused(name, value, said, tmp_path):
    """The library would go round in it for ever, or read beyond its end."""
    frame = with_categories()
    target = frame["city"].cat.codes + frame["class"].astype(int)
    booster = trained("regression", target, frame, rounds=1, min_data_per_group=1, cat_smooth=0)
    text = booster.model_to_string()
    given = line(text, name).partition("=")[2]
    many = " ".join([value(given)] * len(given.split()))
    (tmp_path / "model.txt").write_text(text.replace(f"{name}={given}", f"{name}={many}", 1))
    with pytest.raises(ModelUnreadable, match=said):
        read_spec(str(tmp_path / "model.txt"))


@pytest.mark.parametrize("how", damaged("leaf_value=1 2\nleft_child=1\n\nTree="))
def test_a_damaged_text_is_refused_before_the_library_dies_of_it(how, tmp_path):
    """LightGBM ends the process on some of these; each is an error with its reason."""
    text = trained("binary", SIGN).model_to_string()
    (tmp_path / "model.txt").write_text(damaged(text)[how], encoding="utf-8")
    with pytest.raises(ModelUnreadable, match="LightGBM cannot read the model: it"):
        read_spec(str(tmp_path / "model.txt"))


def test_a_worker_does_not_look_at_the_trees_again(tmp_path):
    """The digest says that they are those that `read_spec` looked at: opening costs a load."""
    booster = trained("binary", SIGN)
    spec = read_spec(stored(booster, tmp_path))
    text = damaged(booster.model_to_string())["newer"]  # of all damages the harmless one
    folder = tmp_path / "shipped"
    folder.mkdir()
    (folder / "model.txt").write_text(text)

    load_scorer(replace(spec, digest=digest_of(folder)), folder)
    with pytest.raises(ModelUnreadable, match="written by a LightGBM newer"):
        read_spec(str(folder))


def reworked(path, change):
    """Change the schema of a skops file in place; `change` gets it and its booster's node."""
    with zipfile.ZipFile(path) as archive:
        schema = json.loads(archive.read("schema.json"))
        others = {n: archive.read(n) for n in archive.namelist() if n != "schema.json"}
    change(schema, schema["content"]["content"]["_Booster"])
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("schema.json", json.dumps(schema))
        for name, content in others.items():
            archive.writestr(name, content)


def with_a_leaf_too_few(schema, booster):
    node = booster["content"]["content"]["_handle"]
    text = json.loads(node["content"])
    node["content"] = json.dumps(damaged(text)["a value too few"])


def hidden(schema, booster):
    """The text that is looked at, behind another one of the same id that skops would take."""
    good = booster["content"]["content"]["_handle"]
    content = json.dumps(damaged(json.loads(good["content"]))["a value too few"])
    attributes = schema["content"]["content"]
    first = next(name for name in attributes if name != "_Booster")
    attributes[first] = {**good, "content": content}


def elsewhere(schema, booster):
    booster["content"]["content"]["_handle"]["__loader__"] = "BytesNode"


def made_otherwise(schema, booster):
    booster["__loader__"] = "ConstructorFromReduceNode"


@pytest.mark.parametrize("flavor", ["lightgbm", "sklearn"])
@pytest.mark.parametrize("change", [with_a_leaf_too_few, hidden, elsewhere, made_otherwise])
def test_a_damaged_text_in_a_skops_file_is_refused_before_the_library_dies_of_it(
    change, flavor, tmp_path
):
    """As a wrapper of MLflow's and as a bare file; and a text that is not where skops puts it."""
    model = lightgbm.LGBMClassifier(n_estimators=4, n_jobs=1, **QUIET)
    model.fit(FRAME.to_numpy(), SIGN)
    if flavor == "lightgbm":
        mlflow.lightgbm.save_model(model, tmp_path / "m", serialization_format="skops", **PINNED)
        (path,) = (p for p in (tmp_path / "m").iterdir() if zipfile.is_zipfile(p))
    else:
        (tmp_path / "m").mkdir()
        path = tmp_path / "m/model.skops"
        skops.io.dump(model, path)
    assert flavor == read_spec(str(tmp_path / "m")).flavor
    reworked(path, change)

    with pytest.raises(ModelUnreadable, match="LightGBM cannot read the model"):
        read_spec(str(tmp_path / "m"))
