# The targets a person types. Each is a thin call: the work is in tools/.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# spark-submit asks the first python3 on PATH where Spark is, so the environment comes first; and
# another Spark of this machine must not answer in its place.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
unexport SPARK_HOME SPARK_CONF_DIR PYSPARK_PYTHON PYSPARK_DRIVER_PYTHON VIRTUAL_ENV

# Two files of tests at a time, each process with its own Spark: 4 GB for each.
TEST_WORKERS ?= 2

.PHONY: help setup demo test emr-test lint fmt notebooks bench matrix lock clean

help:
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' Makefile

setup:  ## build .venv from the lock, find or install Java, fetch the Delta jars
	@tools/setup.sh

demo: setup  ## train, register and score on real data, and show the result
	@.venv/bin/python -m tools.demo $(DEMO_ARGS)

test: setup  ## run the tests (PYTEST_ARGS="-k name" for some, TEST_WORKERS=0 in one process)
	@.venv/bin/python tools/jars_for_tests.py iceberg || echo "the tests of Iceberg are skipped"
	@.venv/bin/python -m pytest -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

emr-test: setup  ## run the tests of emr on real YARN daemons with real S3A (some 20 minutes; fetches 60 MB of jars once)
	@.venv/bin/python tools/jars_for_tests.py yarn s3a
	@.venv/bin/python -m pytest tests/emr tests/spark/test_spark_ml_s3.py -m "yarn or not yarn" $(PYTEST_ARGS)

lint: setup  ## ruff, mypy and the import contracts; all of them, even if one fails
	@tools/lint.sh

fmt: setup  ## format, and mend what ruff can mend
	@.venv/bin/ruff format . && .venv/bin/ruff check --fix .

notebooks: setup  ## build the .ipynb of every notebook, in build/notebooks
	@mkdir -p build/notebooks
	@for file in notebooks/*.py; do \
	    .venv/bin/jupytext --quiet --to ipynb -o "build/notebooks/$$(basename "$${file%.py}").ipynb" "$$file"; \
	done
	@ls build/notebooks/*.ipynb

bench: setup  ## measure (BENCH_ARGS="--rows 2000000")
	@.venv/bin/python -m benchmarks.run $(BENCH_ARGS)

matrix: setup  ## run the Spark tests on each row of tools/matrix/rows.txt (slow)
	@tools/matrix.sh $(MATRIX_ARGS)

lock:  ## resolve requirements.lock anew from pyproject.toml
	@tools/lock.sh

clean:  ## remove everything that make made
	@rm -rf .venv .venv-matrix .jars .cache .demo .pytest_cache .mypy_cache .ruff_cache \
	    .import_linter_cache .hypothesis build dist spark-warehouse metastore_db derby.log
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
