"""The same run through EMR Serverless, EMR on EKS and Kubernetes: what is sent, what is refused."""

from __future__ import annotations

import pytest

from emr.errors import RequestRefused, SecretInRequest
from emr.request.steps import run_key
from sparkml.errors import ConfigError
from tests.emr.door_runs import DOORS, EKS, KUBERNETES, PACKAGE, SERVERLESS, SPEC, a_run

JARS = "/usr/share/aws/delta/lib/delta-spark.jar,/usr/share/aws/delta/lib/delta-storage.jar"
EKS_JARS = ",".join(f"local://{jar}" for jar in JARS.split(","))
BOTH = pytest.mark.parametrize(
    ("door", "jars"), [(SERVERLESS, JARS), (EKS, EKS_JARS)], ids=["serverless", "eks"]
)
EVERY = pytest.mark.parametrize(
    ("asked", "driver_env"),
    [
        (SERVERLESS.request, "spark.emr-serverless.driverEnv."),
        (EKS.request, "spark.kubernetes.driverEnv."),
        (KUBERNETES.argv, "spark.kubernetes.driverEnv."),
    ],
    ids=["serverless", "eks", "kubernetes"],
)


def conf_of(request):
    """The Spark settings of a StartJobRun."""
    (defaults,) = request["configurationOverrides"]["applicationConfiguration"]
    return defaults["properties"]


def test_serverless_takes_the_run_with_its_settings_as_a_mapping() -> None:
    """A setting with a space in it stays one; code and environment are the package's."""
    request = SERVERLESS.request(a_run(), SPEC, PACKAGE)
    (defaults,) = request["configurationOverrides"]["applicationConfiguration"]
    conf = defaults["properties"]
    assert "a b" == conf["spark.x"]
    assert f"{PACKAGE.archive}#environment" == conf["spark.archives"]
    assert PACKAGE.wheel == conf["spark.submit.pyFiles"]
    assert "./environment" == conf["spark.emr-serverless.driverEnv.PYTHONPATH"]
    assert "./environment" == conf["spark.executorEnv.PYTHONPATH"]
    driver = request["jobDriver"]["sparkSubmit"]
    assert PACKAGE.script == driver["entryPoint"]
    assert ["--config", PACKAGE.config] == driver["entryPointArguments"]
    assert run_key(a_run(), SPEC, PACKAGE) == request["clientToken"]
    assert "executionTimeoutMinutes" not in request, "waiting ends after timeout_s, not the run"


def test_eks_takes_the_run_with_the_image_of_its_release() -> None:
    """A name of 64 plain characters ends in the key; RAPIDS has images of its own."""
    request = EKS.request(a_run(name="Été " * 30), SPEC, PACKAGE)
    assert "emr-spark-8.1.0-latest" == request["releaseLabel"]
    assert 64 == len(request["name"])
    assert request["name"].endswith(f"-{request['clientToken']}")
    rapids = SPEC.model_copy(update={"gpu": "rapids"})
    assert "emr-spark-8.1.0-rapids-latest" == EKS.request(a_run(), rapids, PACKAGE)["releaseLabel"]
    conf = request["configurationOverrides"]["applicationConfiguration"][0]["properties"]
    assert "./environment" == conf["spark.kubernetes.driverEnv.PYTHONPATH"]


@DOORS
def test_what_aws_would_refuse_is_refused_here(door) -> None:
    """A role that is no role, and a setting that holds a key."""
    wrong = type(door)(**{name: getattr(door, name) for name in door.__slots__} | {"role": "admin"})
    with pytest.raises(RequestRefused, match="executionRoleArn"):
        wrong.request(a_run(), SPEC, PACKAGE)
    secret = a_run(spark_conf={"spark.hadoop.fs.s3a.secret.key": "abcdef"})
    with pytest.raises(SecretInRequest):
        door.request(secret, SPEC, PACKAGE)


@BOTH
def test_a_run_has_the_releases_own_delta(door, jars) -> None:
    """A cluster has it from its configurations; these have what the run says."""
    conf = conf_of(door.request(a_run(), SPEC, PACKAGE))
    assert jars == conf["spark.jars"]
    assert "io.delta.sql.DeltaSparkSessionExtension" == conf["spark.sql.extensions"]
    catalog = "org.apache.spark.sql.delta.catalog.DeltaCatalog"
    assert catalog == conf["spark.sql.catalog.spark_catalog"]


@BOTH
def test_delta_stands_beside_the_lists_of_the_run(door, jars) -> None:
    """A list replaces the other whole."""
    own = {"spark.jars": "s3://bucket/own.jar", "spark.sql.extensions": "org.example.Own"}
    conf = conf_of(door.request(a_run(spark_conf=own), SPEC, PACKAGE))
    assert f"s3://bucket/own.jar,{jars}" == conf["spark.jars"]
    expected = "org.example.Own,io.delta.sql.DeltaSparkSessionExtension"
    assert expected == conf["spark.sql.extensions"]


def test_the_spec_may_say_where_deltas_jars_are() -> None:
    """As for a cluster, in its configurations."""
    moved = {"Classification": "spark-defaults", "Properties": {"spark.jars": "/opt/delta.jar"}}
    spec = SPEC.model_copy(update={"configurations": (moved,)})
    assert "/opt/delta.jar" == conf_of(SERVERLESS.request(a_run(), spec, PACKAGE))["spark.jars"]
    assert "local:///opt/delta.jar" == conf_of(EKS.request(a_run(), spec, PACKAGE))["spark.jars"]


def test_an_image_of_ones_own_has_its_own_delta() -> None:
    """Kubernetes alone knows no place of EMR's."""
    assert not [one for one in KUBERNETES.argv(a_run(), SPEC, PACKAGE) if "spark.jars" in one]


@EVERY
@pytest.mark.parametrize(
    "key",
    [
        "spark.archives",
        "spark.submit.pyFiles",
        "spark.master",
        "spark.executorEnv.PYTHONPATH",
        "DRIVER.PYTHONPATH",
        "DRIVER.PYSPARK_PYTHON",
    ],
)
def test_what_the_submission_sets_itself_is_not_overwritten_in_silence(
    asked, driver_env, key
) -> None:
    """In the run and in the spec; every one of them is named."""
    key = key.replace("DRIVER.", driver_env)
    with pytest.raises(ConfigError, match="is set by the") as refused:
        asked(a_run(spark_conf={key: "mine"}), SPEC, PACKAGE)
    assert f"spark_conf.{key}" == refused.value.where
    with pytest.raises(ConfigError, match="is set by the"):
        asked(a_run(), SPEC.model_copy(update={"spark_conf": {key: "mine"}}), PACKAGE)
    both = {key: "mine", "spark.app.name": "mine"}
    with pytest.raises(ConfigError, match="2 problems"):
        asked(a_run(spark_conf=both), SPEC, PACKAGE)


def test_a_role_of_the_run_alone_is_enough() -> None:
    """A cluster's spec would have to name one, too; here there is no cluster."""
    run = a_run(runtime_role=SERVERLESS.role)
    assert SPEC.roles.runtime is None
    assert SERVERLESS.role == SERVERLESS.request(run, SPEC, PACKAGE)["executionRoleArn"]
