# %% [markdown]
# # Score the bank's clients, and see whether the scores can be trusted
#
# The table of [explore.py](explore.py), and a model that says how probable it is that a client
# opens a deposit. `make demo` has trained it on 70 of 100 clients, registered it in MLflow and put
# the table into `.demo/bank.csv`. Run this from the repository's root, as a notebook
# (`make notebooks` builds it) or as a script.

# %%
import numpy as np
from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it

import sparkml.functions as sf
from sparkml import build_session, read_spec, score
from sparkml.training.metrics import evaluate
from sparkml.training.plots import draw

spark = build_session(conf={"spark.ui.enabled": "false"})

# %% [markdown]
# ## The model
#
# `champion` is an alias: today's best version. What comes back is a description: the version, a
# digest of its files, the columns that it takes and gives. Some of these columns the file does not
# have; they are computed, here as they were for the training.

# %%
model = read_spec(
    "models:/bank@champion",
    tracking_uri="sqlite:///.demo/mlflow.db",
    nulls={"*": "quarantine", "pdays": "model"},
)
print(model.uri, model.digest[:12])
print("takes", ", ".join(model.signature.names))

# %%
clients = (
    spark.read.csv(".demo/bank.csv", sep=";", header=True, inferSchema=True)
    .withColumn("client", F.xxhash64("*"))
    .withColumn("month", sf.month_as_int("month").cast("string"))
    .withColumns(
        {
            "balance_log": sf.log1p_signed(F.col("balance").cast("double")),
            "pdays": F.expr("nullif(pdays, -1)"),  # -1 stands for: never called before
        }
    )
)

# %% [markdown]
# ## The scores
#
# One column more, a struct of what the model gives; and `error`, which says why a row has no
# score. Nothing is computed before somebody asks for rows.

# %%
scored = score(clients, model, key="client", keep=["age", "job", "y"])
yes = F.element_at("bank.probability", 2).alias("probability")
scored.select("age", "job", "y", "bank.prediction", F.round(yes, 3).alias("probability")).show(5)
print(scored.where("error IS NOT NULL").count(), "rows without a score")

# %% [markdown]
# Two columns of 4,521 rows are small enough to bring here and draw. (The model has seen 70 % of
# these clients in its training, so the numbers flatter it a little: `jobs/train.py` measures on the
# others, and logs the same plots to MLflow.)

# %%
rows = scored.select(F.col("y") == "yes", yes).where("probability IS NOT NULL").toPandas()
said_yes = rows.iloc[:, 0].to_numpy(np.bool_)
probability = rows.iloc[:, 1].to_numpy(np.float64)
found = evaluate(said_yes, probability, threshold=0.2, bins=10)
print(f"AUC {found.auc:.3f}, log loss {found.log_loss:.3f}, Brier {found.brier:.3f}")

# %% [markdown]
# ## How the scores are distributed
#
# Most clients are unlikely to say yes. Those who did stand further right.

# %%
draw("scores", found, said_yes, probability)

# %% [markdown]
# ## Are the probabilities true?
#
# Of the clients who get 0.3, do three in ten say yes? On the dashed line, exactly so. Few clients
# have high probabilities, so the points there are uncertain.

# %%
draw("calibration", found, said_yes, probability)

# %% [markdown]
# ## Whom to call
#
# From 0.2 on, say. The matrix counts who is called rightly, who in vain, and who is missed.

# %%
draw("confusion_matrix", found, said_yes, probability)

# %%
c = found.confusion
print(f"{c.true_positives + c.false_positives:,} calls reach {c.recall:.0%} of those who say yes;")
print(f"{c.precision:.0%} of the calls succeed, {found.positives / found.rows:.0%} would by chance")

# %%
spark.stop()
