"""A step's `spark-submit --deploy-mode cluster`, unchanged, on a real YARN with real S3A.

Nothing here is an imitation but S3 (moto's server) and the size of the machine: Hadoop's own
ResourceManager and NodeManager start the driver and the executors as containers, whose Python has
none of this project's libraries, so that everything must travel as on EMR.
"""

from __future__ import annotations

import json

import pytest

from tests.emr import yarn as real
from tests.emr.yarn import packed

pytest_plugins = ["tests.emr.yarn.fixtures"]
pytestmark = [
    pytest.mark.yarn,
    pytest.mark.spark,
    pytest.mark.skipif(bool(real.missing()), reason=real.missing() or "here"),
]

SDK = "software.amazon.awssdk.auth.credentials"


def test_a_step_scores_wine_with_everything_on_s3(yarn, wine_on_s3, tmp_path):
    """Code, environment, model, source, sink and result on `s3://`; keys in the environment."""
    store = wine_on_s3.s3
    keys = {"AWS_ACCESS_KEY_ID": real.KEY, "AWS_SECRET_ACCESS_KEY": real.SECRET}
    # The driver's Python reads the model there and writes the result; EMR's S3 needs no address.
    env = {**keys, "AWS_ENDPOINT_URL_S3": store.url, "AWS_REGION": "us-east-1"}
    kinds = ("spark.yarn.appMasterEnv", "spark.executorEnv")
    conf = {f"{kind}.{name}": value for kind in kinds for name, value in env.items()}
    conf["spark.hadoop.fs.s3a.aws.credentials.provider"] = (
        f"{SDK}.EnvironmentVariableCredentialsProvider"
    )
    result = f"s3://{packed.BUCKET}/results/wine.json"
    config = packed.config_of(wine_on_s3, "scores/wine", result=result)
    run, spec, package = packed.packed(tmp_path, store, config, conf)
    argv = packed.argv_of(run, spec, package)
    store.door.seen.clear()

    done = yarn.submit(argv, **keys)

    assert ["spark-submit", "--deploy-mode", "cluster"] == argv[:3]
    assert f"{package.archive}#environment" in argv
    assert not [part for part in argv if "spark.master" in part]
    assert done.status == 0, done.driver[-6000:]
    assert wine_on_s3.expected == wine_on_s3.stored("scores/wine")
    told = json.load(
        store.client().get_object(Bucket=packed.BUCKET, Key="results/wine.json")["Body"]
    )
    assert ["ok", 178, 0, []] == [told[k] for k in ("status", "scored", "quarantined", "warnings")]
    assert {real.KEY} == wine_on_s3.writers("scores/wine")
    assert "FINISHED" == real.rest.state(yarn.rest_url, done.application)
    assert "SUCCEEDED" == real.rest.final_status(done.stderr)


def test_a_failing_job_fails_its_step_and_says_why_in_the_drivers_container(
    yarn, wine_on_s3, tmp_path
):
    """The step's own output has no word of the driver's: the container's log does."""
    config = packed.config_of(
        wine_on_s3, "scores/none", source={"format": "delta", "path": "/nowhere"}
    )
    conf = {
        "spark.hadoop.fs.s3a.access.key": real.KEY,
        "spark.hadoop.fs.s3a.secret.key": real.SECRET,
    }

    done = yarn.submit(packed.plain_argv(tmp_path, config, conf))

    assert 1 == done.status
    assert "ERROR SOURCE" in done.driver
    assert "ERROR SOURCE" not in done.stderr
    assert "FINISHED" == real.rest.state(yarn.rest_url, done.application)
    assert "FAILED" == real.rest.final_status(done.stderr)
