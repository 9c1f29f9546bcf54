"""A session's settings stand in no process's arguments, and each layer of them still counts."""

import json
import os
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sparkml.spark.jvm import _properties_file

ROOT = Path(__file__).parents[2]
SECRET = "hunter2-stands-in-no-argument"

STARTED = """
import glob, json, os, sys
from pathlib import Path
from sparkml import build_session

conf = {
    "spark.hadoop.fs.s3a.secret.key": sys.argv[1],
    "spark.driver.memory": "777m",
    "spark.ui.enabled": "false",
    "spark.my.text": "a=b: #c! \\\\ é\\t😀",
    "spark.both": "ours",
}
spark = build_session("local[1]", conf)
spark.range(3).count()
lines = []
for file in glob.glob("/proc/[0-9]*/cmdline"):
    try:
        lines.append((file, Path(file).read_bytes().decode("utf-8", "replace")))
    except OSError:
        pass
own = f"/proc/{os.getpid()}/cmdline"
get = spark.sparkContext.getConf().get
runtime = spark._jvm.java.lang.Runtime.getRuntime()
print(json.dumps({
    "shown_in": [file for file, line in lines if sys.argv[1] in line and file != own],
    "jvms": sum("org.apache.spark.deploy.SparkSubmit" in line for _, line in lines),
    "files": glob.glob(os.environ["TMPDIR"] + "/**/spark.properties", recursive=True),
    "arguments": os.environ.get("PYSPARK_SUBMIT_ARGS"),
    "secret": get("spark.hadoop.fs.s3a.secret.key") == sys.argv[1],
    "text": get("spark.my.text") == conf["spark.my.text"],
    "memory": runtime.maxMemory() >> 20,
    **{key: get(f"spark.{key}") for key in ("both", "defaults", "file", "argument")},
}))
spark.stop()
"""


def started(tmp_path, **environment):
    conf = tmp_path / "conf"
    conf.mkdir()
    (conf / "spark-defaults.conf").write_text("spark.defaults yes\nspark.both theirs\n")
    environment |= {"SPARK_CONF_DIR": str(conf), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", STARTED, SECRET],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.spark
def test_a_secret_setting_stands_in_no_arguments_and_in_no_file(tmp_path):
    """It reaches Spark; the file that brought it is gone; spark-defaults.conf counts below it."""
    told = started(tmp_path)
    assert ([], [], None) == (told["shown_in"], told["files"], told["arguments"])
    assert told["jvms"] >= 1
    assert told["secret"]
    assert told["text"]
    assert 600 <= told["memory"] <= 800  # the driver's memory, which only the JVM's start can set
    assert ("ours", "yes") == (told["both"], told["defaults"])


@pytest.mark.spark
def test_what_the_users_own_arguments_say_counts(tmp_path):
    """A properties file of the user's stands for spark-defaults.conf, as spark-submit has it."""
    own = tmp_path / "own.conf"
    own.write_text("spark.file yes\nspark.both file")
    arguments = f"--properties-file {own} --conf spark.argument=yes pyspark-shell"
    told = started(tmp_path, PYSPARK_SUBMIT_ARGS=arguments)
    assert arguments == told["arguments"]
    assert ("ours", None, "yes", "yes") == tuple(
        told[key] for key in ("both", "defaults", "file", "argument")
    )
    assert [] == told["shown_in"]


def test_while_the_jvm_starts_the_settings_are_the_users_alone(monkeypatch):
    """The file, and the folder around it, whatever the umask."""
    monkeypatch.delenv("PYSPARK_SUBMIT_ARGS", raising=False)
    before = os.umask(0)
    try:
        with _properties_file({"spark.my.key": "x"}):
            file = Path(shlex.split(os.environ["PYSPARK_SUBMIT_ARGS"])[1])
            modes = [stat.S_IMODE(place.stat().st_mode) for place in (file, file.parent)]
    finally:
        os.umask(before)
    assert modes == [0o600, 0o700]
