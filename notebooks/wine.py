# %% [markdown]
# # Wine: a model scores a table on Spark
#
# For a first look at Spark. 178 wines, 13 measurements each, and a model that says which of three
# cultivars a wine was made from. `make demo` has trained the model, registered it in MLflow and
# written the table; run this from the repository's root, as a notebook (jupytext) or as a script.
#
# Spark computes nothing until somebody looks: reading, scoring and selecting only describe what is
# wanted. `show`, `count`, `collect` and writing make it happen, in parallel, task by task.

# %%
from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it

from sparkml import build_session, read_spec, register_sql, score

# Spark on this machine, as many tasks at once as there are cores.
spark = build_session(conf={"spark.ui.enabled": "false"})

# %% [markdown]
# ## The table

# %%
wines = spark.read.format("delta").load(".demo/tables/wine")
print(f"{wines.count()} wines, {len(wines.columns)} columns")
wines.select("id", "alcohol", "hue", "proline").show(3)
wines.select("alcohol", "hue", "proline").summary("min", "50%", "max").show()

# %% [markdown]
# ## The model
#
# `champion` is an alias: today's best version. It is resolved here, once. What comes back is a
# description: the version, a digest of its files, the columns that it takes and gives.

# %%
model = read_spec("models:/wine@champion", tracking_uri="sqlite:///.demo/mlflow.db")
print(model.uri, model.digest[:12])
print("takes", ", ".join(model.signature.names))
print("gives", ", ".join(f"{f.name} ({f.type})" for f in model.signature.outputs))

# %% [markdown]
# ## Scores
#
# One column is added for the model, a struct of its outputs, and one that says why a row has no
# score. The columns of the table are found by their names.

# %%
scored = score(wines, model, key="id", keep=["alcohol"])
scored.printSchema()
scored.select("id", "alcohol", "wine.prediction", "wine.probability").show(3, truncate=False)

# %% [markdown]
# How many wines of each cultivar, and how sure the model is:

# %%
counts = scored.groupBy("wine.prediction").agg(
    F.count("*").alias("wines"),
    F.round(F.avg(F.array_max("wine.probability")), 3).alias("sureness"),
)
counts.orderBy("prediction").show()

# %% [markdown]
# ## The same in SQL
#
# `register_sql` makes the model a function with one named, typed parameter per measurement. Spark
# refuses a call that names a wrong one.

# %%
wines.createOrReplaceTempView("wines")
register_sql(spark, "cultivar", model)
measurements = ", ".join(f"`{name}` => `{name}`" for name in model.signature.names)
spark.sql(
    f"""
    SELECT cultivar({measurements}).prediction AS cultivar, round(avg(alcohol), 2) AS alcohol
    FROM wines GROUP BY 1 ORDER BY 1
    """  # noqa: S608 - the names are the model's
).show()

# %% [markdown]
# ## Rows without a score
#
# Real tables have holes. Two hues are lost here; this model cannot do without, so those two rows
# get no score but an error, and all the others are as before.

# %%
holes = wines.withColumn("hue", F.when(F.col("id") % 100 != 42, F.col("hue")))
with_errors = score(holes, model, key="id", keep=[]).where("error IS NOT NULL")
with_errors.select("id", "wine", "error.code", "error.message").orderBy("id").show(truncate=False)

# %%
spark.stop()
