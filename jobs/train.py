"""The training job: a table, held-out rows, metrics, plots, a registered model.

    spark-submit jobs/train.py --config conf/train.bank.yaml
    spark-submit jobs/train.py --config conf/train.bank_sklearn.yaml --set source.path=bank.csv

The last line that it prints on failure is `ERROR <CODE>: what | where | fix`, and its exit status
is the error's (`--help` lists them). On your own machine, `sparkml train` does the same.
"""

import sys

from sparkml.cli import driver

if __name__ == "__main__":
    sys.exit(driver(sys.argv[1:], command="train"))
