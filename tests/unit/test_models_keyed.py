"""The keyed flavor: each row is scored by the model of its key, as that model alone would."""

from __future__ import annotations

import datetime as dt
import decimal
import shutil
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sparkml import load_scorer, read_spec
from sparkml.errors import (
    ConfigError,
    ModelUnreadable,
    SignatureError,
    UnsupportedFlavor,
)
from sparkml.models.flavors import keyed_predictor
from sparkml.models.flavors.keyed import KeyedModel
from sparkml.models.flavors.keyed_index import KeyIndex
from sparkml.models.read import open_predictor
from sparkml.spec import Field, Signature
from sparkml.testing import THROUGH_BLAS, check_scorer
from tests.keyed_models import FEATURES, by_hand, errors, rows, trees, write
from tests.models import table


def test_each_row_gets_what_the_estimator_of_its_key_gives(tmp_path):
    """Bit for bit, whatever the order of the keys, and the laws of a scorer hold."""
    models = trees(3, 1, 2)
    spec = read_spec(str(write(tmp_path / "m", models)))
    batch = rows([1, 3, 2, 2, 1, 3, 3, 2, 1, 2, 1, 3, 1])

    assert ("keyed", "file") == (spec.flavor, spec.uri[:4])
    assert ("store", "a", "b") == spec.signature.names
    check_scorer(load_scorer(spec), batch, expected={"prediction": by_hand(models, batch)})


def test_linear_models_agree_to_what_blas_allows(tmp_path):
    """A sum through BLAS depends on the number of rows in a call."""
    x = table(60)
    models = {(s,): LinearRegression().fit(x, x["a"] * s + x["b"]) for s in range(5)}
    spec = read_spec(str(write(tmp_path / "m", models)), nulls="quarantine")
    batch = rows([i * 7 % 5 for i in range(40)])

    expected = {"prediction": by_hand(models, batch)}
    check_scorer(load_scorer(spec), batch, expected=expected, rtol=THROUGH_BLAS)


@pytest.mark.parametrize("default", ["quarantine", "global", "null"])
def test_an_unknown_key_goes_to_the_declared_default(tmp_path, default):
    """Unknown, without a model of its own, or null in the key: all alike; other rows are theirs."""
    models = trees(1, 2)
    everybody = DecisionTreeRegressor(random_state=0).fit(table(60, seed=8), table(60)["b"])
    folder = write(tmp_path / "m", {**models, (7,): "TOO_FEW_ROWS", None: everybody})
    spec = read_spec(str(folder), nulls="model", params={"unknown_key": default})
    batch = rows([1, 99, 2, 7, None, 1])

    scores = load_scorer(spec)(batch)

    known = by_hand(models, batch.take(pa.array([0, 2, 5])))
    assert known == scores.column(0).take(pa.array([0, 2, 5])).to_pylist()
    other = scores.column(0).take(pa.array([1, 3, 4])).to_pylist()
    x = batch.select(["a", "b"]).to_pandas()
    expected = everybody.predict(x.iloc[[1, 3, 4]]).tolist()
    assert (expected if default == "global" else [None] * 3) == other
    told = {
        1: ("UNKNOWN_KEY", "m: no model for store=99"),
        3: ("UNKNOWN_KEY", "m: no model for store=7 (TOO_FEW_ROWS: 3 of 10 rows)"),
        4: ("UNKNOWN_KEY", "m: no model for store=None"),
    }
    assert (told if default == "quarantine" else {}) == errors(scores)


def test_unknown_keys_cost_no_further_call_of_a_model(tmp_path, monkeypatch):
    """They are told beforehand: nothing is bisected to find them."""
    calls = Counter()
    before = keyed_predictor.KeyedPredictor.predict

    def counted(self, batch):
        calls["predict"] += 1
        return before(self, batch)

    monkeypatch.setattr(keyed_predictor.KeyedPredictor, "predict", counted)
    scorer = load_scorer(read_spec(str(write(tmp_path / "m", trees(1)))))
    calls.clear()

    scores = scorer(rows([1, 5, 6, 7] * 50))

    assert {"predict": 1} == calls
    assert 150 == len(errors(scores))


def test_a_row_that_a_null_policy_skips_keeps_its_fate(tmp_path):
    """`propagate` gives a null score and no error, for an unknown key as well."""
    spec = read_spec(str(write(tmp_path / "m", trees(1))), nulls="propagate")
    x = pa.array([None, 1.0])
    batch = pa.record_batch({"store": pa.array([99, 99]), "a": x, "b": pa.array([1.0, 1.0])})

    assert {1: "UNKNOWN_KEY"} == {i: c for i, (c, _) in errors(load_scorer(spec)(batch)).items()}


def test_probabilities_stand_in_the_order_of_all_classes(tmp_path):
    """A class that a key never had has probability 0 there, and no other moves into its place."""
    x = table(60)
    labels = np.array(["low", "mid", "top"])[np.digitize(x["a"], [-0.5, 0.5])]
    some = labels != "mid"
    models = {
        (1,): DecisionTreeClassifier(max_depth=2, random_state=0).fit(x, labels),
        (2,): DecisionTreeClassifier(max_depth=2, random_state=0).fit(x[some], labels[some]),
        (3,): DecisionTreeClassifier(random_state=0).fit(x, np.repeat(["top"], 60)),
    }
    outputs = (
        Field(name="prediction", type="string"),
        Field(name="probability", type="list<double>"),
    )
    classes = ("low", "mid", "top")
    spec = read_spec(str(write(tmp_path / "m", models, classes=classes, outputs=outputs)))
    batch = rows([1, 2, 3, 1, 2, 3] * 4)
    x = batch.select(["a", "b"]).to_pandas()

    expected = []
    for i, store in enumerate(batch.column(0).to_pylist()):
        own = models[(store,)]
        found = dict(zip(own.classes_, own.predict_proba(x.iloc[[i]])[0], strict=True))
        expected.append([found.get(c, 0.0) for c in classes])
    check_scorer(
        load_scorer(spec),
        batch,
        expected={"prediction": by_hand(models, batch), "probability": expected},
    )
    lone = read_spec(spec.uri.removeprefix("file://"), outputs=["probability"])
    assert expected == load_scorer(lone)(batch).column(0).to_pylist()


KEYS = {
    "int8": [-3, 0, 7],
    "int64": [-(2**62), 0, 2**62],
    "string": ["", "ä", "naïve café ☕"],
    "bool": [False, True],
    "date32[day]": [dt.date(1, 1, 1), dt.date(2026, 2, 3), dt.date(9999, 12, 31)],
    "decimal128(9, 2)": [decimal.Decimal("-1.50"), decimal.Decimal("0.00")],
}


@pytest.mark.parametrize("kind", KEYS)
def test_keys_of_every_type_find_their_model(tmp_path, kind):
    """Whole numbers, texts, booleans, dates and decimals, written and read back."""
    values = KEYS[kind]
    models = {(v,): m for v, m in zip(values, trees(*range(len(values))).values(), strict=True)}
    folder = write(tmp_path / "m", models, keys=(Field(name="k", type=kind),))
    x = table(2 * len(values))
    dtype = read_spec(str(folder)).signature.inputs[0].type
    batch = pa.record_batch(
        {
            "k": pa.array(values * 2, pa.table({"k": pa.array(values)}).schema.field(0).type),
            "a": x["a"],
            "b": x["b"],
        }
    )
    if kind == "int8":
        batch = batch.set_column(0, "k", batch.column(0).cast("int8"))
    if kind.startswith("decimal"):
        batch = batch.set_column(0, "k", batch.column(0).cast(pa.decimal128(9, 2)))

    assert kind == dtype
    got = load_scorer(read_spec(str(folder)))(batch)
    assert by_hand(models, batch) == got.column(0).to_pylist()


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_keys_of_several_columns_are_found_as_a_dictionary_finds_them(data):
    """Texts, numbers and dates in any combination; half of what is asked for is not there."""
    texts = st.sampled_from(["", "a", "b", "ä", "☕", "a\x00b"])
    numbers = st.sampled_from([-(2**63), -1, 0, 1, 2**63 - 1])
    days = st.sampled_from([dt.date(2026, 1, 1), dt.date(1969, 12, 31)])
    keys = st.tuples(texts, numbers, days)
    known = data.draw(st.lists(keys, min_size=1, max_size=20, unique=True))
    holed = st.one_of(
        keys, st.tuples(st.none(), numbers, days), st.tuples(texts, numbers, st.none())
    )
    asked = data.draw(st.lists(st.one_of(st.sampled_from(known), holed), max_size=30))
    types = (pa.string(), pa.int64(), pa.date32())

    def columns(found):
        return [pa.array([k[i] for k in found], t) for i, t in enumerate(types)]

    place = {k: i for i, k in enumerate(known)}
    assert [place.get(k, -1) for k in asked] == KeyIndex(columns(known)).find(
        columns(asked)
    ).tolist()


def test_a_key_that_stands_twice_is_refused():
    """Nobody could say which of the two models is meant."""
    with pytest.raises(ValueError, match="twice"):
        KeyIndex([pa.array([1, 1]), pa.array(["a", "a"])])


def test_the_cache_holds_what_fits_and_no_more(tmp_path):
    """Whatever the number of models; at least one is open, however small the bound."""
    models = trees(*range(12))
    folder = write(tmp_path / "m", models)
    lengths = pq.read_table(folder / "index.parquet")["length"].to_pylist()
    some = (sum(lengths[:3]) + 1_000) / 2**20
    batch = rows(list(range(12)) * 4)
    for cache_mib, most in ((some, some * 2**20), (1e-6, max(lengths)), (64, sum(lengths))):
        spec = read_spec(str(folder), params={"cache_mib": cache_mib})
        predictor = open_predictor(spec)
        for piece in range(4):
            got = predictor.predict(batch.slice(piece * 12, 12))
            assert by_hand(models, batch.slice(piece * 12, 12)) == got[0].to_pylist()
            assert 0 < predictor.held_bytes <= most


def test_a_model_stays_open_between_batches(tmp_path, monkeypatch):
    """Each is unpickled once while the cache holds it."""
    loads = Counter()
    before = KeyedModel.load

    def counted(self, place):
        loads[place] += 1
        return before(self, place)

    monkeypatch.setattr(KeyedModel, "load", counted)
    predictor = open_predictor(read_spec(str(write(tmp_path / "m", trees(1, 2, 3)))))
    loads.clear()
    for _ in range(3):
        predictor.predict(rows([3, 1, 2, 3, 1]))

    assert {0: 1, 1: 1, 2: 1} == loads


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"unknown_keys": "null"}, "did you mean 'unknown_key'"),
        ({"unknown_key": "quarantaine"}, "did you mean 'quarantine'"),
        ({"unknown_key": "global"}, "there is no global model"),
        ({"cache_mib": 0}, "give a number above 0"),
        ({"cache_mib": "big"}, "give a number above 0"),
    ],
)
def test_a_wrong_param_is_refused_with_the_right_one(tmp_path, params, said):
    """When the spec is read."""
    with pytest.raises(ConfigError, match=said):
        read_spec(str(write(tmp_path / "m", trees(1))), params=params)


def test_null_is_the_word_null_in_a_configuration(tmp_path):
    """YAML reads `unknown_key: null` as nothing at all."""
    spec = read_spec(str(write(tmp_path / "m", trees(1))), params={"unknown_key": None})

    assert {} == errors(load_scorer(spec)(rows([1, 2])))


def test_another_model_is_no_keyed_model_and_a_signature_needs_its_keys(tmp_path):
    """Errors that say what was expected."""
    folder = write(tmp_path / "m", trees(1))
    shutil.copytree(folder, tmp_path / "bare")
    (tmp_path / "bare" / "MLmodel").unlink()
    with pytest.raises(UnsupportedFlavor, match="no flavor reads"):
        read_spec(str(tmp_path / "bare"))
    with pytest.raises(SignatureError, match="key column 'store' is not in the signature"):
        read_spec(str(folder), signature=Signature(inputs=FEATURES))
    texts = Signature(inputs=(Field(name="store", type="string"), *FEATURES))
    with pytest.raises(SignatureError, match="'store' is int64, the signature says string"):
        read_spec(str(folder), signature=texts)
    bad = write(tmp_path / "f", trees(1), keys=(Field(name="store", type="double"),))
    with pytest.raises(ModelUnreadable, match="describe a keyed model"):
        read_spec(str(bad))


def test_a_narrower_key_column_is_cast_and_the_order_of_columns_is_irrelevant(tmp_path):
    """An int32 column meets int64 keys."""
    models = trees(1, 2)
    batch = rows([1, 2, 1])
    narrow = batch.set_column(0, "store", batch.column(0).cast("int32")).select(["b", "store", "a"])

    got = load_scorer(read_spec(str(write(tmp_path / "m", models))))(narrow)

    assert by_hand(models, batch) == got.column(0).to_pylist()


def test_the_reason_is_written_once_for_each_key(tmp_path):
    """Rows of one unknown key share one text, whichever others stand between them."""
    folder = write(tmp_path / "m", {**trees(1), (7,): "TOO_FEW_ROWS"})
    predictor = open_predictor(read_spec(str(folder), params={"unknown_key": "quarantine"}))

    told = predictor.refuse(rows([99, 7, 1, 99, 98, 7]))

    assert [0, 1, 3, 4, 5] == list(told)
    assert told[0] is told[3]
    assert told[1] is told[5]
    assert "no model for store=98" == told[4]
