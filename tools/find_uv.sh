#!/usr/bin/env bash
# Prints the path of uv: the machine's own, or one of this project's in .cache/uv (from the package index).
set -euo pipefail
cd "$(dirname "$0")/.."
python=$1

for candidate in "$(command -v uv || true)" "$HOME/.local/bin/uv" "$HOME/.cargo/bin/uv" "$PWD/.cache/uv/bin/uv"; do
    if [ -n "$candidate" ] && "$candidate" --version >/dev/null 2>&1; then
        printf '%s\n' "$candidate"
        exit 0
    fi
done

echo "setup: fetching uv into .cache/uv" >&2
rm -rf .cache/uv
install=(-m pip install --quiet --disable-pip-version-check --require-hashes -r tools/locks/uv.txt)
if "$python" -m venv .cache/uv >/dev/null 2>&1; then
    .cache/uv/bin/python "${install[@]}" >&2
else # Debian's Python without python3-venv: pip alone will do
    rm -rf .cache/uv
    if ! "$python" "${install[@]}" --target .cache/uv >&2; then
        echo "setup: $python has neither venv nor pip. Fix: apt-get install python3-venv, or put uv on PATH." >&2
        exit 7
    fi
fi
printf '%s\n' "$PWD/.cache/uv/bin/uv"
