# %% [markdown]
# # Explore a table and make features of it
#
# For somebody who sees Spark for the first time: read a file, look at it, turn its columns into
# numbers that a model can use. The table is a bank's: 4,521 clients were called and asked whether
# they would open a deposit. `make demo` has put it into `.demo/bank.csv`. Run this from the
# repository's root, as a notebook (`make notebooks` builds it) or as a script.

# %%
from matplotlib.figure import Figure
from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it

import sparkml.functions as sf
from sparkml import build_session, register_features

# Spark on this machine, as many tasks at once as there are cores.
spark = build_session(conf={"spark.ui.enabled": "false"})

# %% [markdown]
# ## Read and look
#
# Reading only says where the rows are and what they look like; nothing is read before somebody
# asks for rows. Here Spark guesses the types, for which it looks through the file once.

# %%
clients = spark.read.csv(".demo/bank.csv", sep=";", header=True, inferSchema=True)
print(f"{clients.count():,} clients, {len(clients.columns)} columns")
clients.printSchema()

# %%
clients.select("age", "job", "month", "balance", "y").show(5)
clients.select("age", "balance", "campaign", "pdays").summary("min", "50%", "mean", "max").show()

# %% [markdown]
# Who says yes? Grouping is a question about all rows, so all tasks work on it; the answer is small.

# %%
said_yes = F.avg(F.when(F.col("y") == "yes", 1.0).otherwise(0.0))
clients.groupBy("job").agg(
    F.count("*").alias("clients"), F.round(said_yes, 3).alias("yes")
).orderBy(F.desc("yes")).show(5)

# %% [markdown]
# ## Features in SQL
#
# A model wants numbers. Spark's own functions make many; `register_features` adds sparkml's, which
# [docs/features.md](../docs/features.md) lists. They are SQL functions from then on.

# %%
register_features(spark)
clients.createOrReplaceTempView("clients")
spark.sql("""
    SELECT month, month_as_int(month) AS month_number, count(*) AS calls
    FROM clients GROUP BY ALL ORDER BY month_number
""").show(12)

# %% [markdown]
# A text that is no month gives null, not an error and not a wrong number:

# %%
spark.sql("SELECT month_as_int('may') AS may, month_as_int('Smarch') AS smarch").show()

# %% [markdown]
# ## The same as column functions
#
# December stands next to January in a year, but 12 is far from 1. Sine and cosine put the months
# on a circle. `balance` has a long tail and negative values; its signed logarithm has neither edge.

# %%
january = F.make_date(F.lit(2000), F.lit(1), F.lit(1))
month = F.add_months(january, sf.month_as_int("month") - 1)
features = clients.select(
    "y",
    sf.month_sin(month).alias("month_sin"),
    sf.month_cos(month).alias("month_cos"),
    sf.log1p_signed(F.col("balance").cast("double")).alias("balance_log"),
    sf.token_count("job").alias("job_words"),
)
features.show(3)

# %% [markdown]
# These are *native*: Spark computes them itself, in its own compiled code. The plan has no Python
# in it, so they cost next to nothing on any number of rows.

# %%
features.explain()

# %% [markdown]
# ## What the logarithm does
#
# A histogram needs only counts, so Spark counts and one row per bar comes back.


# %%
def bars(column: str, width: float) -> list[tuple[float, int]]:
    """The left edge and the rows of each bar of a histogram."""
    edge = F.floor(F.col(column) / width) * width
    source = features if column in features.columns else clients
    rows = source.groupBy(edge.alias("edge")).count().orderBy("edge").collect()
    return [(float(row["edge"]), row["count"]) for row in rows]


figure = Figure(figsize=(9, 3), layout="constrained")
for axes, (column, width) in zip(
    figure.subplots(1, 2), {"balance": 1_000.0, "balance_log": 0.5}.items(), strict=True
):
    edges, counts = zip(*bars(column, width), strict=True)
    axes.bar(edges, counts, width, align="edge")
    axes.set_title(column)
figure

# %% [markdown]
# ## Your own function
#
# What neither Spark nor sparkml has, Python has. Spark sends whole columns to it as Arrow arrays.

# %%
from pyspark.sql.functions import udf


@udf("double")
def years_to_pension(age: int) -> float:
    """Row by row: the easiest, and the slowest, since every row becomes Python objects."""
    return max(0.0, 67.0 - age)


clients.select("age", years_to_pension("age").alias("years_to_pension")).show(3)

# %%
spark.stop()
