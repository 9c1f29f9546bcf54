"""The feature job: a table, SQL steps that may call sparkml's features, a table; no model.

    spark-submit jobs/features.py --config conf/features.bank.yaml
    spark-submit jobs/features.py --config conf/features.bank.yaml --set source.path=bank.csv

The last line that it prints on failure is `ERROR <CODE>: what | where | fix`, and its exit status
is the error's (`--help` lists them). On your own machine, `sparkml features` does the same.
"""

import sys

from sparkml.cli import driver

if __name__ == "__main__":
    sys.exit(driver(sys.argv[1:], command="features"))
