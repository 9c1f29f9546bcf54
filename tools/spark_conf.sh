#!/usr/bin/env bash
# Tells an environment's Spark where its Delta jars, its Python and, where PATH does not say it, its Java are.
#
# Written beside the pyspark of the environment, so plain spark-submit and Python-started sessions both read it.
set -euo pipefail
venv=$(cd "$1" && pwd -P)
jars=$(cd "$2" && pwd -P)
java=$3

conf=$(echo "$venv"/lib/python3.*/site-packages/pyspark)/conf
mkdir -p "$conf"
cat >"$conf/spark-defaults.conf" <<END
# written by tools/spark_conf.sh
spark.driver.extraClassPath    $jars/*
spark.executor.extraClassPath  $jars/*
spark.pyspark.python           $venv/bin/python
spark.ui.showConsoleProgress   false
END

# What spark-class would start by itself: JAVA_HOME, else the first java on PATH. Where that is another
# Java or none, the environment gets a `java` of its own, and a spark-env.sh that outweighs JAVA_HOME.
plain=$(command -v "${JAVA_HOME:+$JAVA_HOME/bin/}java" || true)
rm -f "$conf/spark-env.sh"
if [ -z "$plain" ] || [ "$(readlink -f "$plain")" != "$(readlink -f "$java/bin/java")" ]; then
    printf '#!/bin/sh\n# written by tools/spark_conf.sh\nexec "%s/bin/java" "$@"\n' "$java" >"$venv/bin/java"
    chmod +x "$venv/bin/java"
    if [[ $conf != *' '* ]]; then # Spark reads this file without quoting its path
        printf '# written by tools/spark_conf.sh\nJAVA_HOME=%q\n' "$java" >"$conf/spark-env.sh"
    fi
fi
