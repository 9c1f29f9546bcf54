"""The settings, options and parameters that may be shown: by allow-list, all else is `***`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sparkml.redaction.names import HARMLESS, SPARK, is_reference, is_secret_name, words
from sparkml.redaction.text import MASK, masked

_KNOWN = re.compile(
    r"""spark\.(?:
      app\.name | master | submit\.(?:deployMode|pyFiles) | serializer | closure\.serializer
    | (?:driver|executor)\.(?:memory\w*|cores|instances|maxResultSize|host|port|bindAddress
        |logs\.\S+|resource\.\S+|processTreeMetrics\S*|heartbeatInterval|extraClassPath|extraLibraryPath
        |userClassPathFirst|pyspark\.memory|supervise|defaultJavaOptions|extraJavaOptions)
    | sql\.(?!catalog\.)\S+ | sql\.catalog\.\w+(?:\.(?:type|catalog-impl|io-impl|warehouse|uri
        |cache-enabled|default-namespace))?
    | (?:shuffle|dynamicAllocation|kryo\w*|memory|network|rpc|scheduler|speculation|task|stage
        |eventLog|history|ui|locality|default|broadcast|cleaner|files|io|python|pyspark|databricks
        |delta|rapids|resources|excludeOnFailure|storage|checkpoint|reducer|cores|worker|extraListeners
        |log|logConf|metrics\.namespace|hive|port|local|decommission|barrier|buffer|deploy)(?:\.\S+)?
    | jars(?:\.(?:packages|excludes|ivy|repositories|ivySettings))? | files | archives
    | yarn\.(?!appMasterEnv)\S+
    | kubernetes\.(?!\S*(?:[eE]nv|secret))\S+
    | emr-serverless\.(?!\S*Env)\S+ | emr\.\S+
    | redaction\.\S+ | authenticate(?:\.enableSaslEncryption)? | acls\.\S+
    | ssl\.(?:\w+\.)?(?:enabled|port|protocol|(?:key|trust)Store(?:Type)?
        |needClientAuth|enabledAlgorithms)
    )
  | (?:spark\.hadoop\.)?(?:
      fs\.(?:s3a?|s3n|gs|abfss?|azure|hdfs|file|viewfs|defaultFS|trash|permissions)(?:\.\S+|$)
    | (?:hadoop|mapreduce|mapred|parquet|dfs|yarn|hive|io|ipc|ha|orc|javax\.jdo)\.\S+
    )""",
    re.VERBOSE,
)
"""Settings of Spark and Hadoop whose values are no secrets, unless their name says so."""

_HARMLESS_THOUGH_NAMED = re.compile(
    r"spark\.(?:redaction\.\S*regex|sql\.redaction\.\S+|yarn\.am\.tokenConfRegex"
    r"|security\.credentials\.\w+\.enabled|hadoop\.(?:fs|hadoop)\S+\.credentials?\.provider"
    r"(?:\.path)?|kubernetes\.\S*\.secretKeyRef\.\S+"
    r"|kubernetes\.(?:driver|executor)\.secrets\.\S+|\S+\.authenticate\.\S+TokenFile)"
)
"""Those that Spark's own pattern takes for secret by a word in their name."""

_ENVIRONMENT = re.compile(
    r"(?:.*\.)?(?:executorEnv|appMasterEnv|driverEnv)\.(?P<name>.+)", re.IGNORECASE
)
_VARIABLES = re.compile(
    r"JAVA_HOME|SPARK_\w+|HADOOP_\w+|YARN_\w+|PYTHON\w*|PYSPARK_\w+|PATH|LD_LIBRARY_PATH|TZ|LANG|LC_\w+"
    r"|HOME|TMPDIR|USER|(?:OMP|MKL|OPENBLAS|NUMEXPR)_\w+|AWS_(?:DEFAULT_)?REGION|AWS_CA_BUNDLE"
    r"|MLFLOW_(?:TRACKING|REGISTRY)_URI|MLFLOW_EXPERIMENT_NAME|CUDA_\w+|NVIDIA_\w+|XGBOOST_\w+"
    r"|LOG_LEVEL|ENV(?:IRONMENT)?|STAGE|HF_HOME|TRANSFORMERS_\w+|MALLOC_\w+|GLIBC_\w+|PEX_\w+"
)
"""Environment variables whose values are no secrets."""

_OPTIONS = words(
    """
    sep delimiter header mode inferschema nullvalue nanvalue emptyvalue quote escape encoding
    charset comment dateformat timestampformat timestampntzformat mergeschema recursivefilelookup
    pathglobfilter modifiedbefore modifiedafter versionasof timestampasof compression locale
    linesep multiline maxcolumns maxcharspercolumn enforceschema columnnameofcorruptrecord
    positiveinf negativeinf ignoreleadingwhitespace ignoretrailingwhitespace datetimerebasemode
    int96rebasemode quoteall escapequotes unescapedquotehandling dbtable driver partitioncolumn
    overwriteschema replacewhere partitionoverwritemode maxrecordsperfile datachange path
    unknown_key cache_mib providers shapes device dtype torch_dtype task revision model_type
    flavor input_name output_name language max_length padding truncation pad_token eos_token
    tokenizer tokenizer_name pooling pooling_mode aggregation_strategy attn_implementation
    predict_method prediction_type objective solver penalty kernel criterion loss activation
    metric token_pattern analyzer eval_metric booster importance_type max_features loss_function
    monotone_constraints interaction_constraints cat_features base_score
    """
)
"""Options of readers and writers, and parameters of models, whose values are no secrets."""

_WORD = re.compile(r"(?:[a-z]+|[A-Z]+|[A-Z][a-z]+)(?:[_-](?:[a-z]+|[A-Z]+|[A-Z][a-z]+))*")
"""A word as an enumeration has it: `zstd`, `FAILFAST`, `left_outer`."""
_CLASS = re.compile(r"(?:[a-z_]\w*\.){2,}[A-Z]\w*\$?(?:,\s*(?:[a-z_]\w*\.){2,}[A-Z]\w*\$?)*")
_PLACE = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://|file:/|models:/|runs:/|arn:aws[\w-]*:|(?:/[\w.=@-]+){2}).*"
)
_PROPERTY = re.compile(r"-D(?P<name>[^\s=]+)=(?P<value>\"[^\"]*\"|'[^']*'|\S*)")


def shown_setting(name: str, value: Any) -> Any:
    """A setting's value as it may be shown: itself where it is known to be harmless, else `***`.

    Args:
        name: the setting, option or parameter; Spark's own redaction pattern is the floor.
        value: plain; what is nested in it is shown or masked by itself.

    >>> [shown_setting(f"spark.{key}", "x1y2") for key in ("app.name", "my.thing")]
    ['x1y2', '***']
    """
    if isinstance(value, Mapping):
        return {key: shown_setting(f"{name}.{key}", item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [shown_setting(name, item) for item in value]
    if value is None or isinstance(value, bool):
        return value
    if is_secret_name(name) or (name.startswith(("spark.", "fs.")) and SPARK.search(name)):
        known = _HARMLESS_THOUGH_NAMED.fullmatch(name) or is_reference(str(value))
        known = known or str(value).lower() in ("", "true", "false")
        return masked(str(value)) if known else MASK
    return value if isinstance(value, int | float) else _shown_text(name, str(value))


def shown_value(value: Any) -> Any:
    """A value of a key that is our own, as it may be shown: without what is secret in it.

    >>> shown_value("https://me:pw@host/in")
    'https://me:***@host/in'
    """
    if isinstance(value, Mapping):
        return {key: shown_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [shown_value(item) for item in value]
    return masked(value) if isinstance(value, str) else value


def wrong_value(name: str, value: Any) -> Any:
    """A value that stands where it does not belong, as an error may repeat it; else None.

    What holds letters and digits may be a password in a wrong line.

    >>> wrong_value("sink.mode", "replac"), wrong_value("batch_rows", "hunter2")
    ('replac', None)
    """
    if isinstance(value, Mapping | list | tuple):
        return value if all(isinstance(item, int | float) for item in value) else None
    if not isinstance(value, str):
        return None if is_secret_name(name) else value
    mixed = re.search(r"[A-Za-z]", value) and re.search(r"\d", value)
    hidden = is_secret_name(name) or mixed or len(value) > 40 or masked(value) != value
    return None if hidden else value


def _shown_text(name: str, text: str) -> str:
    if HARMLESS.fullmatch(text) or is_reference(text):
        return text
    variable = _ENVIRONMENT.fullmatch(name)
    if variable:
        return masked(text) if _VARIABLES.fullmatch(variable["name"]) else MASK
    if name.endswith("JavaOptions"):
        return masked(_PROPERTY.sub(_shown_property, text))
    known = _KNOWN.fullmatch(name) or name.rpartition(".")[2].lower() in _OPTIONS
    likely = len(text) <= 24 and _WORD.fullmatch(text)
    return masked(text) if known or likely or _CLASS.fullmatch(text) or _is_place(text) else MASK


def _shown_property(found: re.Match[str]) -> str:
    return f"-D{found['name']}={shown_setting(found['name'], found['value'])}"


def _is_place(text: str) -> bool:
    return bool(_PLACE.fullmatch(text))
