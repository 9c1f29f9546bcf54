"""Keyed models of small trees, and the rows that they score."""

from __future__ import annotations

import io

import cloudpickle
import pyarrow as pa
from sklearn.tree import DecisionTreeRegressor

from sparkml.models.flavors.keyed_file import Header
from sparkml.models.flavors.keyed_write import Entry, write_keyed
from sparkml.spec import Field
from sparkml.training.fit_key import versions_of
from tests.models import table

STORE = (Field(name="store", type="int64"),)
FEATURES = (Field(name="a", type="double"), Field(name="b", type="double"))
PREDICTION = (Field(name="prediction", type="double"),)


def write(folder, models, *, keys=STORE, classes=(), **options):
    """A keyed model of `models`: key -> fitted estimator, or the code of why there is none."""
    scratch = io.BytesIO()
    entries = []
    for key, model in models.items():
        given = {"key": key, "rows": 20, "start": scratch.tell()}
        if isinstance(model, str):
            entries.append(Entry(**given, code=model, message="3 of 10 rows"))
        else:
            entries.append(Entry(**given, length=scratch.write(cloudpickle.dumps(model))))
    options = {"outputs": PREDICTION, "features": FEATURES, **options}
    header = Header(keys=keys, classes=classes, **options)
    one = next(m for m in models.values() if not isinstance(m, str))
    write_keyed(folder, header, entries, scratch, versions=versions_of(one))
    return folder


def trees(*stores):
    """A tree for each store, each of other data."""
    made = {}
    for store in stores:
        x = table(60, seed=store)
        made[(store,)] = DecisionTreeRegressor(random_state=0).fit(x, x["a"] * (store + 1))
    return made


def rows(stores, key="store", seed=9):
    """A batch with a row for each of `stores`."""
    x = table(len(stores), seed=seed)
    return pa.record_batch({key: pa.array(stores), "a": x["a"], "b": x["b"]})


def errors(scores):
    """Row -> code and message."""
    found = enumerate(scores.column(scores.num_columns - 1).to_pylist())
    return {i: (e["code"], e["message"]) for i, e in found if e}


def by_hand(models, batch):
    """What each row's own estimator gives for it, alone."""
    x = batch.select(["a", "b"]).to_pandas()
    stores = batch.column(0).to_pylist()
    return [models[(s,)].predict(x.iloc[[i]])[0] for i, s in enumerate(stores)]
