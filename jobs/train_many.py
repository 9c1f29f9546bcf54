"""One model per key of a table, stored as one artifact and registered.

    spark-submit jobs/train_many.py --config conf/train_many.yaml
    spark-submit jobs/train_many.py --config conf/train_many.yaml --set output=.demo/models/other

Score with it as with any other model: `jobs/score.py` takes the folder or the registered address.
The last line that it prints on failure is `ERROR <CODE>: what | where | fix`, and its exit status
is the error's (`--help` lists them). On your own machine, `sparkml train-many` does the same.
"""

import sys

from sparkml.cli import driver

if __name__ == "__main__":
    sys.exit(driver(sys.argv[1:], command="train-many"))
