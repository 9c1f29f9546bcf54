#!/usr/bin/env bash
# Runs the Spark tests on each row of tools/matrix/rows.txt, each in an environment of its own.
#
# Arguments choose rows by name; with MATRIX_CHECK=1 a row is built and one Delta table written and read, no more.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
rows=tools/matrix/rows.txt

python=$(tools/find_python.sh 3.11) || exit
# shellcheck source=tools/index.sh
. tools/index.sh
uv=$(tools/find_uv.sh "$python") || exit
java=$(tools/find_java.sh "$uv" "$python") || exit
mkdir -p .venv-matrix .cache

build() { # row python constraints coordinate: the row's environment, its jars, its settings
    local venv=.venv-matrix/$1 jars=.jars/delta-${4##*:} version_python
    version_python=$(tools/find_python.sh "$2") || return
    [ -x "$venv/bin/python" ] || "$uv" venv --quiet --python "$version_python" "$venv" || return
    "$uv" pip install --quiet --python "$venv/bin/python" -r pyproject.toml --extra all --group dev \
        --constraints "tools/matrix/$3" --override tools/matrix/unused.txt || return
    "$uv" pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation --editable . || return
    "$venv/bin/python" tools/delta_jars.py --check "$1" "$jars" ||
        "$venv/bin/python" tools/delta_jars.py "$1" "$jars" --java "$java" || return
    tools/spark_conf.sh "$venv" "$jars" "$java"
}

try() { # row: the tests, or the shortest thing that needs Spark, Delta and a Python worker to fit
    if [ -n "${MATRIX_CHECK:-}" ]; then
        PATH=$PWD/.venv-matrix/$1/bin:$PATH python tools/matrix/delta_session.py
    else
        PATH=$PWD/.venv-matrix/$1/bin:$PATH python -m pytest -n 2 --dist loadfile \
            tests/unit tests/spark tests/parity
    fi
}

results=()
failed=0
while read -r row python_version constraints coordinate; do
    if [[ $row = \#* ]] || { [ $# -gt 0 ] && [[ " $* " != *" $row "* ]]; }; then continue; fi
    log=.cache/matrix-$row.log
    echo "matrix: $row (Python $python_version, $constraints, ${coordinate#*:}); log in $log"
    if ! build "$row" "$python_version" "$constraints" "$coordinate" >"$log" 2>&1 </dev/null; then
        outcome="does not resolve: $(grep -v '^ *$' "$log" | tail -n 1)"
    elif try "$row" >>"$log" 2>&1 </dev/null; then
        outcome="ok: $(tail -n 1 "$log")"
    else
        outcome="FAILED: $(tail -n 1 "$log")"
    fi
    case $outcome in ok:*) ;; *) failed=1 ;; esac
    results+=("$(printf '%-12s %-7s %-15s %s' "$row" "$python_version" "$constraints" "$outcome")")
done <"$rows"

printf '%s\n' "" "$(printf '%-12s %-7s %-15s %s' row python spark outcome)" "${results[@]}"
exit "$failed"
