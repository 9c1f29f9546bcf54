#!/usr/bin/env bash
# Makes this working copy ready: .venv from the lock, a Java for Spark, the Delta jars on its class path.
#
# Says in one line what it did. A second run checks and does nothing; an interrupted one is begun anew.
set -euo pipefail
cd "$(dirname "$0")/.."

row=spark-4.1 # the row of tools/matrix/rows.txt that requirements.lock is made for
stamp=.venv/.setup
unfinished=.venv/.unfinished
began=$SECONDS

step() { printf 'setup: %s\n' "$*" >&2; }

fingerprint() { # of everything that the environment is made from, and of where it stands
    {
        pwd -P
        cat requirements.lock pyproject.toml tools/*.sh tools/delta_jars.py tools/trust_store.py \
            tools/locks/* tools/matrix/*
    } | cksum
}

is_ready() {
    [ -f "$stamp" ] && [ ! -e "$unfinished" ] && .venv/bin/python -c '' 2>/dev/null || return 1
    local made_from java
    { read -r made_from && read -r java; } <"$stamp"
    [ "$made_from" = "$(fingerprint)" ] && [ -x "$java/bin/java" ] &&
        .venv/bin/python tools/delta_jars.py --check "$row" "$jars"
}

is_own_python() { # of the right version, and made here: a copied folder's points at the old place
    .venv/bin/python -c 'import os, sys
sys.exit(sys.version_info[:2] != (3, 11) or not os.path.samefile(sys.prefix, ".venv"))' 2>/dev/null &&
        grep -qF "$(pwd -P)/.venv" .venv/bin/activate
}

build_environment() {
    if [ -e "$unfinished" ] || ! is_own_python; then
        step "making .venv ($("$python" --version))"
        rm -rf .venv
        "$uv" venv --quiet --python "$python" .venv
    fi
    touch "$unfinished"
    step "installing $(grep -c '^[a-z].*==' requirements.lock) packages from requirements.lock (the first time a minute or two)"
    # Bytecode is compiled here, once: where PYTHONDONTWRITEBYTECODE is set, or the folder is not
    # writable later, every start of every worker would compile what it imports anew.
    "$uv" pip sync --quiet --python .venv/bin/python --require-hashes --compile-bytecode \
        --build-constraints tools/locks/build.txt requirements.lock
    "$uv" pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
}

mkdir -p .cache
if command -v flock >/dev/null; then # two targets at once share one setup
    exec 9>.cache/setup.lock
    flock 9
fi
jars=.jars/delta-$(awk -v row="$row" '$1 == row {n = split($4, part, ":"); print part[n]; exit}' tools/matrix/rows.txt)
if is_ready; then
    echo "nothing to do: .venv, $jars and Java are as requirements.lock wants them"
    exit 0
fi

python=$(tools/find_python.sh 3.11)
# shellcheck source=tools/index.sh
. tools/index.sh
uv=$(tools/find_uv.sh "$python")
java=$(tools/find_java.sh "$uv" "$python")

build_environment
if ! .venv/bin/python tools/delta_jars.py --check "$row" "$jars"; then
    step "fetching the Delta jars"
    .venv/bin/python tools/delta_jars.py "$row" "$jars" --java "$java"
fi
tools/spark_conf.sh .venv "$jars" "$java"
printf '%s\n%s\n' "$(fingerprint)" "$java" >"$stamp"
rm -f "$unfinished"
echo "set up in $((SECONDS - began)) s: .venv ($(.venv/bin/python --version)," \
    "$(grep -c '^[a-z].*==' requirements.lock) locked packages), $jars, Java at $java"
