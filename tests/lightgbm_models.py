"""Small LightGBM models and the table that they are trained on."""

from __future__ import annotations

import lightgbm
import numpy as np
import pandas as pd

QUIET = {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 5, "num_leaves": 7}
RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(RNG.normal(size=(240, 3)), columns=["age", "income", "score"])
SIGN = (FRAME["age"] + FRAME["income"] > 0).astype(int)
THIRDS = pd.qcut(FRAME["age"] + FRAME["score"] / 2, 3, labels=False)


def trained(objective, target, data=FRAME, rounds=8, **params):
    made = lightgbm.Dataset(data, target, group=params.pop("group", None))
    return lightgbm.train({"objective": objective, **QUIET, **params}, made, rounds)


def stored(booster, tmp_path):
    booster.save_model(tmp_path / "model.txt")
    return str(tmp_path / "model.txt")


def with_categories(rows=200, seed=1):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "city": pd.Categorical(rng.choice(["Bonn", "Köln", "Ulm"], rows)),
            "size": rng.normal(size=rows),
            "class": pd.Categorical(rng.choice([3, 5, 9], rows)),
        }
    )
