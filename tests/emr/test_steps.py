"""A run becomes a step: the argv of spark-submit, its key, and what happens when it is too long."""

import json
import os
import stat
import subprocess

import pytest

from emr.errors import RequestRefused, SecretInRequest
from emr.job_run import JobRun
from emr.request.guard_rails import step_characters
from emr.request.steps import (
    properties,
    run_key,
    run_key_of,
    spark_submit_argv,
    step_config,
    step_files,
    steps_request,
)
from tests.emr.golden import CODE, PACKAGE
from tests.emr.rich_cluster import ROLE, plain, rich

LONG = {f"spark.sql.setting.number{n}": "x" * 100 for n in range(100)}


def run_with(**changes):
    return JobRun.model_validate({"job": "score", "config": "conf/score.wine.yaml", **changes})


def conf_of(argv):
    return dict(argv[i + 1].split("=", 1) for i, arg in enumerate(argv) if arg == "--conf")


def test_the_argv_is_what_one_would_type():
    argv = spark_submit_argv(run_with(name="Wine's, again"), plain(), PACKAGE)
    expected = [
        *("spark-submit", "--deploy-mode", "cluster", "--name", "Wine's, again"),
        *("--archives", "s3://example-bucket/sparkml/environments/dddd.tar.gz#environment"),
        *("--files", f"{CODE}/cccc/config.yaml#job.yaml"),
        *("--py-files", f"{CODE}/bbbb/sparkml-0.1.0-py3-none-any.whl"),
    ]
    assert expected == argv[: len(expected)]
    assert [f"{CODE}/aaaa/score.py", "--config", "job.yaml"] == argv[-3:]


def test_driver_and_executors_find_the_packed_environment_and_the_same_python():
    conf = conf_of(spark_submit_argv(run_with(), plain(python="3.13"), PACKAGE))
    for process in ("spark.yarn.appMasterEnv", "spark.executorEnv"):
        assert "./environment" == conf[f"{process}.PYTHONPATH"]
        assert "python3.13" == conf[f"{process}.PYSPARK_PYTHON"]


def test_a_runs_settings_win_over_the_specs():
    spec = plain(spark_conf={"spark.a": "spec", "spark.b": "spec"})
    conf = conf_of(spark_submit_argv(run_with(spark_conf={"spark.b": "run"}), spec, PACKAGE))
    assert ("spec", "run") == (conf["spark.a"], conf["spark.b"])


def test_a_driver_is_started_again_only_where_spot_may_take_it():
    attempts = "spark.yarn.maxAppAttempts"
    assert "1" == conf_of(spark_submit_argv(run_with(), plain(), PACKAGE))[attempts]
    assert "2" == conf_of(spark_submit_argv(run_with(), rich(), PACKAGE))[attempts]
    own = run_with(spark_conf={attempts: "3"})
    assert "3" == conf_of(spark_submit_argv(own, rich(), PACKAGE))[attempts]


def test_a_step_is_named_after_job_and_configuration_and_ends_in_its_key():
    step = step_config(run_with(), plain(), PACKAGE)
    key = run_key(run_with(), plain(), PACKAGE)
    assert f"score score.wine [{key}]" == step["Name"]
    assert key == run_key_of(step["Name"])
    assert "command-runner.jar" == step["HadoopJarStep"]["Jar"]
    assert "CONTINUE" == step["ActionOnFailure"]


def test_the_same_run_has_the_same_key_whatever_it_is_called():
    key = run_key(run_with(), plain(), PACKAGE)
    assert key == run_key(run_with(name="another"), plain(name="other"), PACKAGE)
    assert key != run_key(run_with(spark_conf={"spark.a": "1"}), plain(), PACKAGE)
    assert key != run_key_of(step_config(run_with(), plain(python="3.13"), PACKAGE)["Name"])


@pytest.mark.parametrize(
    "name", ["score", "[0123456789ab] x", "x [0123456789aG]", "x[0123456789ab]"]
)
def test_other_names_have_no_key(name):
    assert run_key_of(name) is None


def test_a_long_name_leaves_room_for_the_key():
    step = step_config(run_with(name="n" * 256), plain(), PACKAGE)
    assert 256 == len(step["Name"])
    assert run_key_of(step["Name"])


def test_steps_are_added_with_the_role_they_run_as():
    step = step_config(run_with(), rich(), PACKAGE)
    expected = {"JobFlowId": "j-1", "Steps": [step], "ExecutionRoleArn": ROLE}
    assert expected == steps_request("j-1", [step], execution_role=ROLE)
    assert "ExecutionRoleArn" not in steps_request("j-1", [step], execution_role=None)


def test_a_hundred_steps_a_call_are_the_limit():
    step = step_config(run_with(), plain(), PACKAGE)
    steps_request("j-1", [step] * 100, execution_role=None)
    with pytest.raises(RequestRefused, match="101 steps in one call, 100 are allowed"):
        steps_request("j-1", [step] * 101, execution_role=None)


def test_a_step_of_more_characters_than_emr_takes_is_refused():
    step = step_config(run_with(), plain(), PACKAGE)
    step = {
        **step,
        "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["x" * 10_000, "y" * 300]},
    }
    with pytest.raises(RequestRefused, match="has 10,318 characters, 10,240 are allowed"):
        steps_request("j-1", [step], execution_role=None)


def test_a_secret_in_a_runs_settings_is_refused():
    step = step_config(run_with(spark_conf={"spark.db.password": "hunter2"}), plain(), PACKAGE)
    with pytest.raises(SecretInRequest) as caught:
        steps_request("j-1", [step], execution_role=None)
    assert "hunter2" not in str(caught.value)


def test_too_many_settings_move_to_a_file_on_s3():
    run = run_with(spark_conf=LONG)
    assert {} == step_files(run_with(), plain(), PACKAGE)
    ((address, content),) = step_files(run, plain(), PACKAGE).items()
    step = step_config(run, plain(), PACKAGE)
    assert address.startswith("s3://bucket/sparkml/arguments/")
    assert address in step["HadoopJarStep"]["Args"]
    assert b"spark.sql.setting.number99=xxx" in content
    assert 2_000 > step_characters(step)
    steps_request("j-1", [step], execution_role=None)
    assert run_key_of(step["Name"]) == run_key(run, plain(), PACKAGE)


def test_with_a_runtime_role_they_cannot_move():
    with pytest.raises(RequestRefused, match="EMR runs spark-submit only"):
        step_config(run_with(spark_conf=LONG), rich(), PACKAGE)


def test_the_file_is_searched_for_secrets_as_well():
    run = run_with(spark_conf={**LONG, "spark.db.password": "hunter2"})
    with pytest.raises(SecretInRequest, match=r"spark_conf\.spark\.db\.password"):
        step_config(run, plain(), PACKAGE)


SUBMIT = """#!/usr/bin/env python3
import json, pathlib, sys
file = sys.argv[sys.argv.index("--properties-file") + 1]
told = {"argv": sys.argv[1:], "properties": pathlib.Path(file).read_text()}
pathlib.Path(__file__).with_name("told.json").write_text(json.dumps(told))
sys.exit(7)
"""


def test_the_long_step_really_runs(tmp_path, bucket, aws_environment):
    """bash and the real `aws` fetch the file from an S3 server, then become spark-submit."""
    import boto3

    odd = {"spark.odd": "a 'b' \"c\" $HOME `id` \\ = :", "spark.lines": "one\ntwo"}
    run = run_with(name="it's $HOME; true", spark_conf={**LONG, **odd})
    spec = plain(artifacts=f"s3://{bucket}/sparkml")
    ((address, content),) = step_files(run, spec, PACKAGE).items()
    key = address.removeprefix(f"s3://{bucket}/")
    s3 = boto3.client("s3", endpoint_url=aws_environment["AWS_ENDPOINT_URL_S3"])
    s3.put_object(Bucket=bucket, Key=key, Body=content)
    submit = tmp_path / "bin" / "spark-submit"
    submit.parent.mkdir()
    submit.write_text(SUBMIT)
    submit.chmod(submit.stat().st_mode | stat.S_IXUSR)
    environment = {**os.environ, "PATH": f"{submit.parent}:{os.environ['PATH']}"}
    argv = step_config(run, spec, PACKAGE)["HadoopJarStep"]["Args"]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert (7, "") == (done.returncode, done.stderr)  # its own exit status is the step's
    told = json.loads(submit.with_name("told.json").read_text())
    assert content.decode() == told["properties"]
    plain_argv = spark_submit_argv(run_with(name=run.name), spec, PACKAGE)
    assert [arg for arg in plain_argv[1:] if arg not in _conf_args(plain_argv)] == told["argv"][3:]
    assert "--load-spark-defaults" == told["argv"][2]


def _conf_args(argv):
    return {"--conf", *(argv[i + 1] for i, arg in enumerate(argv) if arg == "--conf")}


@pytest.mark.spark
def test_spark_reads_the_settings_as_they_were_written(spark):
    """`java.util.Properties` itself, as spark-submit uses it."""
    written = {
        "spark.odd": "  a 'b' \"c\" $HOME \\ = : # !",
        "spark.lines": "one\ntwo\tthree\r",
        "spark.ümlaut": "#grün 🎲",
        "!spark.bang": "\\u0041",
    }
    jvm = spark.sparkContext._jvm
    read = jvm.java.util.Properties()
    read.load(jvm.java.io.StringReader(properties(written)))
    assert written == {key: read.getProperty(key) for key in read.stringPropertyNames()}


def test_another_role_is_another_run():
    """What a run may read is part of what it gives."""
    key = run_key(run_with(), plain(), PACKAGE)
    assert key != run_key(run_with(runtime_role=ROLE), plain(), PACKAGE)
    theirs = run_key(run_with(), plain(roles={"runtime": ROLE}), PACKAGE)
    assert theirs == run_key(run_with(runtime_role=ROLE), plain(), PACKAGE)


def test_lists_of_a_step_keep_deltas_part():
    """A step's setting replaces the cluster's: without Delta's jars no table could be written."""
    conf = {"spark.jars": "s3://bkt/own.jar", "spark.sql.extensions": "org.example.Mine"}
    made = conf_of(spark_submit_argv(run_with(spark_conf=conf), plain(), PACKAGE))
    delta = "/usr/share/aws/delta/lib/delta-spark.jar,/usr/share/aws/delta/lib/delta-storage.jar"
    assert f"s3://bkt/own.jar,{delta}" == made["spark.jars"]
    session = "io.delta.sql.DeltaSparkSessionExtension"
    assert f"org.example.Mine,{session}" == made["spark.sql.extensions"]
    moved = {"Classification": "spark-defaults", "Properties": {"spark.jars": "/opt/delta.jar"}}
    spec = plain(configurations=[moved])
    made = conf_of(spark_submit_argv(run_with(spark_conf=conf), spec, PACKAGE))
    assert "s3://bkt/own.jar,/opt/delta.jar" == made["spark.jars"]
