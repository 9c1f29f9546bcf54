"""skops files that name what they must not: refused before any of it is imported or called."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sparkml.errors import ModelUnreadable, SparkMLError, UntrustedModel
from sparkml.models.read import read_spec
from sparkml.models.skops_file import check_skops
from sparkml.models.skops_parts import LOADERS
from tests.hostile.skops_files import (
    attributes,
    good,
    hide,
    made,
    mapping,
    node,
    parts,
    rewritten,
    scalar,
    type_,
    write,
)

GZIP = "sklearn.datasets._covtype.GzipFile"
GETTER = "sklearn.feature_selection._base.attrgetter"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKML_CACHE", str(tmp_path / "cache"))


def call(name: str, *arguments: Any) -> Any:
    return node("PartialNode", "functools.partial", content={
        "func": node("FunctionNode", name),
        "args": parts(*[scalar(argument) for argument in arguments]),
        "kwds": mapping(), "namespace": scalar(None),
    })  # fmt: skip


def of_object(name: str, /, **held: Any) -> Any:
    return node("ObjectNode", name, content=mapping(**held))


def reduced(loader: str, name: str, *arguments: Any) -> Any:
    args = parts(*[scalar(argument) for argument in arguments])
    return node(loader, name, content=mapping(), __reduce__={"args": args})


def state_of(name: str) -> Any:
    return mapping(bit_generator=scalar(name))


def hostile(canary: str) -> dict[str, Any]:
    """A part for each way in which skops imports, looks up or calls what a file names."""
    array = {"type": "json", "content": [scalar(canary)], "shape": parts(scalar(1))}
    vectorizer = "sklearn.feature_extraction.text.CountVectorizer"
    return {
        "a file opener behind an alias": made(GZIP, canary, "wb"),
        "a file opener by its own name": made("gzip.GzipFile", canary, "wb"),
        "a folder maker": made("joblib.memory.Memory", canary),
        "a folder maker behind an alias": made("sklearn.utils.validation.joblib.Memory", canary),
        "a class of scikit-learn's with arguments": made("sklearn.pipeline.Pipeline", canary),
        "open": made("io.open", canary, "w"),
        "a class as a type": type_(GZIP),
        "a function as a type": type_("builtins.exec"),
        "a function behind an alias": node("FunctionNode", "sklearn.utils.validation.joblib.dump"),
        "a function that opens files": node("FunctionNode", "numpy.load"),
        "a function that opens files, as a type": type_("numpy.fromfile"),
        "a function behind a module": node("FunctionNode", "numpy.f2py.os.system"),
        "a partial": call("os.mkdir", canary),
        "a partial of a class": call(GZIP, canary, "wb"),
        "a partial of an object": node("PartialNode", "functools.partial", content={
            "func": of_object("sklearn.linear_model._logistic.LogisticRegression"),
            "args": parts(), "kwds": mapping(), "namespace": scalar(None),
        }),
        "an object": of_object(GZIP, name=scalar(canary)),
        "an object of a module behind an alias": of_object("sklearn.datasets._base.Path"),
        "a distribution": of_object("scipy.stats._continuous_distns.norm_gen"),
        "an attrgetter": node("OperatorFuncNode", "operator.attrgetter",
                              attrs=parts(scalar("__class__"))),
        "a methodcaller": node("OperatorFuncNode", "operator.methodcaller",
                               attrs=parts(scalar("mkdir"))),
        "an attrgetter behind an alias": made(GETTER, "__class__"),
        "a method": node("MethodNode", "sklearn.pipeline.Pipeline", content={
            "func": "fit", "obj": of_object("sklearn.pipeline.Pipeline")}),
        "a dict of a class": {**mapping(), "__class__": "GzipFile", "__module__": "gzip"},
        "a dict with keys made by a call": node(
            "DictNode", "builtins.dict", content={canary: scalar(1)},
            key_types=node("ListNode", "builtins.list", content=[type_("pathlib.Path")])),
        "a dict with functions for key types": node(
            "DictNode", "builtins.dict", content={canary: scalar(1)},
            key_types=node("ListNode", "builtins.list", content=[type_("numpy.asarray")])),
        "a list of a class": node("ListNode", "collections.deque", content=[]),
        "a set of a class": node("SetNode", "os._Environ", content=[]),
        "a tuple of a class": node("TupleNode", "sklearn.utils._param_validation.Interval",
                                   content=[]),
        "a named tuple of another's": node("TupleNode", "inspect.FullArgSpec", content=[]),
        "a default factory": node("DefaultDictNode", "collections.defaultdict", content={
            "main": mapping(), "default_factory": type_("subprocess.Popen")}),
        "a default factory that is called": node(
            "DefaultDictNode", "collections.defaultdict",
            content={"main": mapping(), "default_factory": call("os.getcwd")}),
        "an array of a class": node("NdArrayNode", "numpy.memmap", **array),
        "an array of a class behind an alias": node("NdArrayNode", GZIP, **array),
        "a masked array of a class": node("MaskedArrayNode", GZIP, content={
            "data": scalar(1), "mask": scalar(0)}),
        "a dtype of a class": node("DTypeNode", "gzip.GzipFile", content=scalar(1)),
        "a sparse matrix of a class": node("SparseMatrixNode", GZIP, type="scipy", file="x.npz"),
        "a random state of a class": node("RandomStateNode", "numpy.random.seed",
                                          content=scalar(1)),
        "a random generator of a function": node(
            "RandomGeneratorNode", "numpy.random._generator.Generator",
            content={"bit_generator": state_of("set_bit_generator"), "seed_seq": mapping()}),
        "a loss of a class": reduced("LossNode", "gzip.GzipFile", canary, "wb"),
        "a loss behind an alias": reduced("LossNode", GZIP, canary, "wb"),
        "a tree of a class": reduced("TreeNode", GZIP, canary, "wb"),
        "a forest of a library that is not here": reduced(
            "QuantileForestNode", "quantile_forest._quantile_forest_fast.QuantileForest"),
        "a time zone": made("zoneinfo.ZoneInfo", canary),
        "bytes of a class": node("BytesNode", "ctypes.CDLL", file="x.bin"),
        "a slice of a class": node("SliceNode", "builtins.eval", content={
            "start": canary, "stop": None, "step": None}),
        "a value of a class": node("JsonNode", "builtins.eval", content="1"),
        "a loader that nobody has": node("EvalNode", "builtins.str", content=canary),
        "a loader of an old protocol": node("FunctionNode", "numpy.log1p", content={
            "module_path": "os", "function": "mkdir"}),
        "a field that is not its own": {**scalar(1), "func": "os.system"},
        "an estimator with a function for its method": of_object(
            "sklearn.svm._classes.SVC", predict=node("FunctionNode", "numpy.log1p")),
        "an estimator with a function for its check": of_object(
            "sklearn.ensemble._forest.RandomForestClassifier",
            _validate_X_predict=node("FunctionNode", "numpy.mean")),
        "an estimator made of pairs": node(
            "ObjectNode", "sklearn.svm._classes.SVC",
            content=parts(parts(scalar("predict"), node("FunctionNode", "numpy.mean")))),
        "a vectorizer that opens files": of_object(vectorizer, input=scalar("filename")),
        "a vectorizer that reads objects": of_object(vectorizer, input=scalar("file")),
        "a vectorizer that is told by an array": of_object(vectorizer, input=node(
            "NdArrayNode", "numpy.str_", type="json", content=[scalar("filename")],
            shape=parts(scalar(1)))),
        "a method named by a text": of_object(
            "sklearn.ensemble._stacking.StackingClassifier",
            stack_method_=node("ListNode", "builtins.list", content=[scalar("tofile")])),
        "a scorer's method": of_object(
            "sklearn.metrics._scorer._Scorer", _response_method=scalar("tofile")),
        "a path through an object's inside": of_object(
            "sklearn.feature_selection._from_model.SelectFromModel",
            importance_getter=scalar("fit.__globals__")),
    }  # fmt: skip


@pytest.mark.parametrize("kind", hostile(""))
def test_a_part_that_names_what_models_are_not_made_of_is_refused(kind, tmp_path):
    """Whatever the policy; hidden in a model that works, and nothing of it imported or called."""
    canary = tmp_path / "canary"
    part = hostile(str(canary))[kind]
    path = write(tmp_path, rewritten(good(), lambda schema: hide(schema, part)))
    for policy in ("never", "always"):
        with pytest.raises(UntrustedModel, match="the skops file holds"):
            read_spec(path, trust=policy)
    assert not canary.exists()


def test_the_alias_would_have_run(tmp_path):
    """What is refused above does something where it is not: otherwise the test proves nothing."""
    canary = tmp_path / "canary"
    path = write(tmp_path, rewritten(good(), lambda s: hide(s, made(GZIP, str(canary), "wb"))))
    skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))
    assert canary.exists()


def test_nothing_that_a_file_names_is_imported(tmp_path, monkeypatch):
    """A module of the file's own choice, on the path and all."""
    (tmp_path / "chosen_by_the_file.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w')")
    monkeypatch.syspath_prepend(str(tmp_path))
    for part in (
        type_("chosen_by_the_file.Thing"),
        of_object("chosen_by_the_file.Thing"),
        node("FunctionNode", "chosen_by_the_file.thing"),
    ):
        path = write(tmp_path, rewritten(good(), lambda schema, part=part: hide(schema, part)))
        with pytest.raises(UntrustedModel):
            read_spec(path)
    assert "chosen_by_the_file" not in sys.modules
    assert not (tmp_path / "canary").exists()


def test_two_parts_with_one_id_must_be_equal(tmp_path):
    """It restores the first for both: a harmless one hides nothing behind it, nor before it."""
    opener = of_object(
        "sklearn.feature_extraction.text.CountVectorizer", input={**scalar("content"), "__id__": 7}
    )
    path = write(
        tmp_path,
        rewritten(
            good(),
            lambda s: (hide(s, {**scalar("filename"), "__id__": 7}), hide(s, opener, "other_")),
        ),
    )
    with pytest.raises(UntrustedModel, match="with the id of another part"):
        read_spec(path)


def test_a_part_that_was_met_before_is_not_looked_at_again(tmp_path):
    """skops stores an object as often as it occurs, always with the same id."""
    shared = np.arange(4.0)
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(np.ones((3, 4)))
    scaler.mean_ = scaler.var_ = shared
    names = check_skops(io.BytesIO(skops.io.dumps([scaler, scaler])), where="here")
    assert "numpy.ndarray" in names


@pytest.mark.parametrize("odd", [[], {}, 5, None, True, ["os"], "1"], ids=repr)
@pytest.mark.parametrize(
    "field", ["__class__", "__module__", "__loader__", "__id__", "content", "protocol"]
)
def test_a_field_of_another_type_is_a_coded_error(field, odd, tmp_path):
    """Never a raw exception; an id is a number, or there is none."""
    path = write(tmp_path, rewritten(good(), lambda schema: schema.update({field: odd})))
    if field == "__id__" and odd in (5, None) and odd is not True:
        assert read_spec(path).flavor == "sklearn"
        return
    with pytest.raises(SparkMLError):
        read_spec(path)


def nested(loader: str, depth: int) -> bytes:
    inner = scalar(1)
    text = json.dumps(inner)
    head = json.dumps(node(loader, "builtins.list", content=["X"])).split('"X"')
    return (head[0] * depth + text + head[1] * depth).encode()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"5",
        b"{",
        b"\xff\xfe",
        b'{"protocol": 2}',
        b'{"protocol": 99999}',
        b'{"protocol": true, "__loader__": "JsonNode"}',
        b'{"protocol": 0, "__loader__": "JsonNode"}',
        b'{"protocol": 1, "__loader__": "JsonNode"}',
        b'{"protocol": NaN}',
        b'{"protocol": ' + b"9" * 5000 + b"}",
        b'{"protocol": 2, "protocol": 2}',
        b"[" * 5000,
        b'{"a":' * 5000,
    ],
    ids=lambda text: repr(text[:40]),
)
def test_a_schema_that_is_none_is_a_coded_error(text, tmp_path):
    """Cut, odd, of another protocol, with keys given twice, five thousand deep."""
    with pytest.raises(ModelUnreadable):
        read_spec(write(tmp_path, rewritten(good(), lambda _: text)))


@pytest.mark.parametrize("depth", [300, 5000])
def test_parts_within_parts_have_an_end(depth, tmp_path):
    """Lists in lists, in a model that is otherwise good."""

    def change(schema):
        hide(schema, "HERE")
        return json.dumps(schema).encode().replace(b'"HERE"', nested("ListNode", depth))

    with pytest.raises(ModelUnreadable):
        read_spec(write(tmp_path, rewritten(good(), change)))


def test_a_part_that_holds_itself_is_refused(tmp_path):
    """By its own id."""
    inner = node("ListNode", "builtins.list", content=[{**scalar(1), "__id__": 7}], __id__=7)
    with pytest.raises(UntrustedModel, match="with the id of another part"):
        read_spec(write(tmp_path, rewritten(good(), lambda schema: hide(schema, inner))))


def test_values_are_scalars(tmp_path):
    """A value's own text is JSON once more."""
    for text in ("[" * 5000, "{}", "nope", "9" * 5000):
        part = node("JsonNode", "builtins.str", content=text, is_json=True)
        with pytest.raises(ModelUnreadable):
            read_spec(write(tmp_path, rewritten(good(), lambda s, part=part: hide(s, part))))


@pytest.mark.parametrize(
    "kind", ["bzip2", "lzma", "bomb", "packed", "many", "twice", "away", "cut", "none"]
)
def test_a_zip_that_is_more_than_it_seems_is_a_coded_error(kind, tmp_path):
    """Compressed without bound, a bomb, a member twice, one that is not there, none at all."""
    data = good()
    if kind in ("bzip2", "lzma"):
        data = rewritten(data, compression=getattr(zipfile, f"ZIP_{kind.upper()}"))
    elif kind == "bomb":
        with zipfile.ZipFile(out := io.BytesIO(data), "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("zeros.npy", bytes(70 << 20))
        data = out.getvalue()
    elif kind == "packed":  # a sparse matrix is an archive itself
        with zipfile.ZipFile(inner := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as matrix:
            matrix.writestr("data.npy", bytes(70 << 20))
        with zipfile.ZipFile(out := io.BytesIO(data), "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("zeros.npz", inner.getvalue())
        data = out.getvalue()
    elif kind == "many":
        with zipfile.ZipFile(out := io.BytesIO(data), "a", zipfile.ZIP_DEFLATED) as archive:
            for number in range(5):
                archive.writestr(f"{number}.npy", bytes(63 << 20))
        data = out.getvalue()
    elif kind == "twice":
        with zipfile.ZipFile(out := io.BytesIO(data), "a") as archive, pytest.warns(match="Dup"):
            archive.writestr("schema.json", "{}")
        data = out.getvalue()
    elif kind == "away":

        def change(schema):  # the member of one array is named, and is not there
            attributes(schema)["coef_"]["file"] = "../../etc/passwd"

        data = rewritten(data, change)
    elif kind == "cut":
        data = data[: len(data) // 2]
    else:
        with zipfile.ZipFile(out := io.BytesIO(), "w"):
            pass
        data = out.getvalue()
    with pytest.raises(ModelUnreadable, match="skops cannot read the file"):
        read_spec(write(tmp_path, data))


def with_pattern(pattern: str) -> bytes:
    model = make_pipeline(CountVectorizer(), MultinomialNB()).fit(["a bb", "cc dd"], [0, 1])
    model[0].token_pattern = pattern
    return skops.io.dumps(model)


@pytest.mark.parametrize(
    "pattern",
    [r"(?:\w+\s*)+!", r"(\w+)+$", r"(a|aa)+b", r"\w*\w*\w*\w*\w*b", r"[^\0]+[^\0]+[^\0]+\0"],
)
def test_a_pattern_that_some_text_keeps_busy_for_ever_is_refused(pattern, tmp_path):
    """The first opening's texts are short: a worker would meet the one that it never ends with."""
    with pytest.raises(UntrustedModel, match="with token_pattern"):
        read_spec(write(tmp_path, with_pattern(pattern)))


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?u)\b\w+\b",
        r"[a-zA-Z]{2,}",
        r"[A-Za-z0-9]+(?=\s+)",
        r"(?ui)\b\w*[a-z]+\w*\b",
        r"\S+",
        r"\w+(?:[-']\w+)*",
        r"\w+|\$[\d\.]+|\S+",
        r"\b[^\d\W]+\b",
        r"(\w+)(?:'s)?",
    ],
)
def test_an_ordinary_pattern_is_kept(pattern, tmp_path):
    """Those of scikit-learn's examples, and of words with signs in them."""
    path = tmp_path / "m.skops"
    path.write_bytes(with_pattern(pattern))
    check_skops(path, where="m")


@pytest.mark.parametrize("kind", [np.number, np.floating, "number"], ids=str)
def test_columns_may_be_selected_by_their_kind(kind, tmp_path):
    """As scikit-learn's documentation of pipelines for mixed types has it."""
    columns = ColumnTransformer([("n", StandardScaler(), make_column_selector(dtype_include=kind))])
    table = pd.DataFrame({"a": [0.0, 1.0], "b": [1.0, 0.0]})
    path = tmp_path / "m.skops"
    skops.io.dump(make_pipeline(columns, LogisticRegression()).fit(table, [0, 1]), path)
    check_skops(path, where="m")


def test_every_loader_of_skops_is_known_or_refused():
    """One that a new skops brings is refused until somebody has read it."""
    from skops.io._audit import NODE_TYPE_MAPPING

    theirs = {loader for loader, _ in NODE_TYPE_MAPPING}
    assert theirs - LOADERS.keys() == {
        "CachedNode",
        "MethodNode",
        "OperatorFuncNode",
        "QuantileForestNode",
    }
    assert LOADERS.keys() <= theirs
