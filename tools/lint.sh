#!/usr/bin/env bash
# Runs every check even if one fails, and ends with the names of those that did.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

failed=()
check() {
    printf 'lint: %s\n' "$*"
    ".venv/bin/$1" "${@:2}" || failed+=("$*")
}

check ruff check .
check ruff format --check .
check mypy
check lint-imports
if [ ${#failed[@]} -gt 0 ]; then
    printf 'lint: FAILED: %s\n' "${failed[@]}"
    exit 1
fi
