#!/usr/bin/env bash
# Resolves the locks anew: requirements.lock (the environment), and uv's and Java's own for a bare machine.
set -euo pipefail
cd "$(dirname "$0")/.."

python=$(tools/find_python.sh 3.11)
# shellcheck source=tools/index.sh
. tools/index.sh
uv=$(tools/find_uv.sh "$python")
# Neither the index's address nor this machine's folders may end up in a file that others install from.
unset UV_FIND_LINKS

compile() {
    local target=$1
    shift
    "$uv" pip compile --quiet --upgrade --python-version 3.11 --generate-hashes --no-emit-index-url \
        --custom-compile-command "make lock" --output-file "$target" "$@"
    echo "locked $(grep -c '^[a-z].*==' "$target") packages in $target"
}

# XGBoost's library for several GPUs is 300 MB that nothing here loads.
compile requirements.lock pyproject.toml --extra all --group dev --constraints tools/matrix/spark-4.1.txt \
    --no-emit-package nvidia-nccl-cu12 --no-emit-package sparkml
compile tools/locks/build.txt tools/locks/build.in
compile tools/locks/uv.txt tools/locks/uv.in
compile tools/locks/java.txt tools/locks/java.in
