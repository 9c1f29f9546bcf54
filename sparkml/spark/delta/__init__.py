"""A Delta table as the target of a run: checked before any task, committed once after them.

target.py     `open_target` and `Target`: the story of a commit, conflicts and lost answers too
log.py        Delta's own transaction, through py4j; what differs between versions is here
plan.py       what a run will do to the table: its layout, what is replaced, what is added
partition.py  partition columns and their predicates
rules.py      the table features that this writer honours, and those it refuses
types.py      what a table can hold, how two schemas differ, how files spell them
root.py       whether the place can be written
"""

from sparkml.spark.delta.target import Target, open_target

__all__ = ["Target", "open_target"]
