"""What crosses to the workers, and what they do once per process."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import zipfile

import pytest
from pyspark.cloudpickle import dumps
from sklearn.linear_model import LogisticRegression

from sparkml import score
from sparkml.errors import DigestMismatch
from sparkml.models import digest
from sparkml.models.artifact import cached_folder
from sparkml.scoring.cache import cached_scorer
from sparkml.spark.score import ScorePlan
from sparkml.spark.ship import arrived
from sparkml.spark.worker import score_batches
from tests.models import save, table

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def logistic(tmp_path_factory):
    """A small classifier's spec."""
    x = table(100)
    model = LogisticRegression().fit(x, x["a"] > 0)
    return save(model, tmp_path_factory.mktemp("lr"), name="lr")


def test_the_closure_is_small_and_holds_no_model(spark, demo):
    """What a task carries for the 64 features of the digits weighs less than 4 KiB."""
    from sparkml import read_spec

    trained, uri = demo
    spec = read_spec("models:/digits@champion", tracking_uri=uri)
    df = spark.createDataFrame(trained["digits"].features.head(3))
    task = ScorePlan(df, (spec,), ["pixel_0_0"], where="t").task(batch_rows=None, tuned=True)

    def run(batches):
        return score_batches(task, batches)

    assert len(dumps(run)) < 4_096


def test_a_model_is_loaded_once_per_worker_process(spark, logistic):
    """Many tasks in two workers load the model at most twice."""
    from pyspark import TaskContext

    from sparkml.scoring import cache
    from sparkml.spark.worker import open_scorer

    def loads(batches):
        for _ in batches:
            before = set(map(id, cache._open.values()))
            scorer = open_scorer(logistic, tuned=True)
            yield_loaded = id(scorer) not in before
            import pyarrow as pa

            yield pa.RecordBatch.from_pydict(
                {"pid": [os.getpid()], "loaded": [yield_loaded], "cpus": [TaskContext.get().cpus()]}
            )

    rows = (
        spark.range(0, 40, 1, 40).mapInArrow(loads, "pid long, loaded boolean, cpus long").collect()
    )

    loaded = [r.pid for r in rows if r.loaded]
    assert len(loaded) == len(set(loaded)) <= 2
    assert len(rows) == 40


def test_a_worker_reads_a_model_s_files_once_for_their_digest(spark, tmp_path, monkeypatch):
    """And refuses files that were changed in the host's cache, where nothing else was shipped."""
    x = table(20)
    spec = save(LogisticRegression().fit(x, x["a"] > 0), tmp_path, name="read_once")
    read: list[str] = []

    def counted(path, sha256=digest.sha256):
        read.append(path.name)
        return sha256(path)

    monkeypatch.setattr(digest, "sha256", counted)
    _, loaded = cached_scorer(spec, cores=1, locate=arrived)
    (cached_folder(spec.digest) / "read_once.joblib").write_bytes(b"")

    assert (True, ["read_once.joblib"]) == (loaded, read)
    with pytest.raises(DigestMismatch, match="were changed"):
        arrived(spec.digest)


def test_threads_in_a_worker_are_capped_to_the_task_s_cores(spark, logistic):
    """OpenMP and BLAS pools have one thread where a task has one core."""

    def threads(batches):
        import pyarrow as pa
        from threadpoolctl import threadpool_info

        from sparkml.spark.worker import open_scorer

        for _ in batches:
            open_scorer(logistic, tuned=True)
            yield pa.RecordBatch.from_pydict({"n": [p["num_threads"] for p in threadpool_info()]})

    rows = spark.range(0, 2, 1, 2).mapInArrow(threads, "n long").collect()

    assert {1} == {r.n for r in rows}


@pytest.mark.parametrize("tuned", [True, False])
def test_tuning_can_be_switched_off(spark, logistic, tuned):
    """Both ways score; only one leaves the import machinery changed."""
    df = spark.createDataFrame(table(20))

    assert score(df, logistic, tuned=tuned).filter("error IS NULL").count() == 20


def test_a_replaced_zip_is_still_noticed(tmp_path):
    """After tuning, an unchanged zip is not read again, and one that changed is."""
    archive = tmp_path / "lib.zip"
    script = textwrap.dedent(
        """
        import importlib, sys, time, zipfile, os
        from sparkml.spark.worker import tune
        path = sys.argv[1]
        sys.path.insert(0, path)
        import first
        tune(loaded=True)
        tune(loaded=True)
        importlib.invalidate_caches()
        finder = sys.path_importer_cache[path]
        importlib.invalidate_caches()
        assert sys.path_importer_cache[path] is finder, "an unchanged zip keeps its finder"
        with zipfile.ZipFile(path, "w") as z:
            z.writestr("second.py", "value = 2")
        os.utime(path, ns=(1, time.time_ns() + 10**9))
        importlib.invalidate_caches()
        import second
        print(first.value, second.value)
        """
    )
    with zipfile.ZipFile(archive, "w") as z:
        z.writestr("first.py", "value = 1")

    done = subprocess.run(
        [sys.executable, "-c", script, str(archive)], capture_output=True, text=True, check=False
    )

    assert "1 2" == done.stdout.strip(), done.stderr


def test_an_unchanged_zip_is_not_read_again(tmp_path):
    """The directory of a zip on the path is read once, not before every task."""
    archive = tmp_path / "lib.zip"
    with zipfile.ZipFile(archive, "w") as z:
        z.writestr("first.py", "value = 1")
    script = textwrap.dedent(
        """
        import importlib, sys, zipimport
        from sparkml.spark.worker import tune
        sys.path.insert(0, sys.argv[1])
        import first
        reads = []
        original = zipimport.zipimporter.invalidate_caches
        zipimport.zipimporter.invalidate_caches = lambda self: (reads.append(1), original(self))
        tune(loaded=True)
        for _ in range(5):
            importlib.invalidate_caches()
        print(len(reads))
        """
    )

    done = subprocess.run(
        [sys.executable, "-c", script, str(archive)], capture_output=True, text=True, check=False
    )

    assert "1" == done.stdout.strip(), done.stderr
