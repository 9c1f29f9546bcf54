"""Timestamps reach a model as the wall clock of the session's time zone, as in `toPandas`."""

from __future__ import annotations

import datetime as dt
import sys

import mlflow
import pandas as pd
import pyarrow as pa
import pytest
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema
from pyspark.sql import functions as F  # noqa: N812

from sparkml import load_scorer, read_spec, score, score_udf
from sparkml.errors import SignatureError
from tests.quiet import quiet

pytestmark = pytest.mark.spark

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "+05:45"]
START = dt.datetime.fromisoformat("2024-03-30T22:30")
HOURS = [START + dt.timedelta(minutes=30 * i) for i in range(16)]  # Berlin's clocks go forward
HOURS += [t.replace(month=10, day=t.day - 4) for t in HOURS]  # and back; New York's in other weeks
HOURS += [t.replace(month=11, day=3, hour=4 + i) for i, t in enumerate(HOURS[:5])]
HOURS += [START.replace(year=1815)]
HOURS += [t.replace(year=2040) for t in HOURS[:16:2]]
HOURS += [START.replace(year=year, month=month) for year in (2038, 9999) for month in (1, 7)]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model that gives the day's number and the minute of the day of `at`."""
    folder = tmp_path_factory.mktemp("model")
    with quiet():

        class Clock(mlflow.pyfunc.PythonModel):
            def predict(self, context, model_input, params=None):
                at = [pd.Timestamp(t).to_pydatetime() for t in model_input["at"]]
                return pd.Series([t.toordinal() * 1440 + t.hour * 60 + t.minute for t in at])

        mlflow.pyfunc.save_model(
            str(folder / "m"),
            python_model=Clock(),
            pip_requirements=[],
            signature=ModelSignature(
                inputs=Schema([ColSpec("datetime", "at")]), outputs=Schema([ColSpec("long")])
            ),
        )
    return str(folder / "m")


@pytest.fixture
def in_zone(spark):
    """Sets the session's time zone for a test."""
    before = spark.conf.get("spark.sql.session.timeZone")
    yield lambda name: spark.conf.set("spark.sql.session.timeZone", name)
    spark.conf.set("spark.sql.session.timeZone", before)


def minutes(moment):
    """What the model should give for a wall clock."""
    return moment.toordinal() * 1440 + moment.hour * 60 + moment.minute


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("dtype", ["timestamp", "timestamp_ntz"])
def test_a_model_sees_the_session_s_wall_clock(zone, dtype, model, spark, in_zone, monkeypatch):
    """By `score`, `score_udf` and MLflow's own UDF alike; a timestamp without a zone is itself."""
    in_zone("UTC")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    texts = [(i, str(t)) for i, t in enumerate(HOURS)]
    df = spark.createDataFrame(texts, "id int, text string")
    df = df.select("id", F.expr(f"CAST(text AS {dtype})").alias("at"), "text")
    instants = df.localCheckpoint()
    in_zone(zone)
    spec = read_spec(model, name="m")

    shown = instants.orderBy("id").selectExpr("CAST(CAST(at AS timestamp_ntz) AS string) AS at")
    expected = [minutes(dt.datetime.fromisoformat(row.at)) for row in shown.collect()]
    by_score = score(instants, spec, key="id", keep=[]).orderBy("id").collect()
    by_udf = instants.select("id", score_udf(spec)().alias("m")).orderBy("id").collect()

    assert expected == [row.m.prediction for row in by_score]
    assert expected == [row.m.prediction for row in by_udf]
    if zone in ZONES[:3]:
        recent = instants.where("id < 37").coalesce(1).orderBy("id")
        theirs = mlflow.pyfunc.spark_udf(spark, model, "long", env_manager="local")
        got = [row.m for row in recent.select("id", theirs("at").alias("m")).collect()]
        assert expected[:37] == got


def test_a_scorer_by_itself_goes_by_the_zone_of_its_column(model):
    """Arrow's own type tells it; lists and nulls as well."""
    scorer = load_scorer(read_spec(model, nulls="propagate"))
    column = pa.array([HOURS[0], None], pa.timestamp("ms", "Asia/Tokyo"))

    got = scorer(pa.RecordBatch.from_arrays([column], ["at"])).column(0).to_pylist()

    assert got == [minutes(HOURS[0] + dt.timedelta(hours=9)), None]


def test_the_plan_shows_the_zone_and_refuses_one_that_arrow_lacks(model, spark, in_zone):
    """The advice holds."""
    df = spark.range(1).select(F.expr("timestamp '2024-01-01 00:00:00'").alias("at"))
    in_zone("Antarctica/Troll")
    from sparkml.spark.score import ScorePlan

    spec = read_spec(model, name="m")
    (binding,) = ScorePlan(df, (spec,), [], where="here").bindings["m"]
    assert binding.source == "timestamp[us, tz=Antarctica/Troll]"
    assert "session's time zone" in binding.rule

    in_zone("GMT+3")
    assert score(df, spec).first().m.prediction is not None
    in_zone("CTT")
    with pytest.raises(SignatureError, match=r"no time zone 'CTT'.*Europe/Berlin"):
        score(df, spec)
    in_zone("Europe/Berlin")
    assert score(df, spec).first().error is None
