"""The main job: a registered model scores a table.

    spark-submit jobs/score.py --config conf/score.wine.yaml
    spark-submit jobs/score.py --config conf/score.wine.yaml --set sink.path=out --plan
    spark-submit --py-files sparkml.zip jobs/score.py --config …      # sparkml not installed there

The last line that it prints on failure is `ERROR <CODE>: what | where | fix`, and its exit status
is the error's (`--help` lists them). On your own machine, `sparkml score` does the same and owns
the terminal: a live line, a clean stderr, and help without waiting for a JVM.
"""

import sys

from sparkml.cli import driver

if __name__ == "__main__":
    sys.exit(driver(sys.argv[1:]))
