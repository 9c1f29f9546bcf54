#!/usr/bin/env bash
# Prints the path of a Python of the version asked for (3.11), or says how to get one and exits 7.
set -euo pipefail
wanted=$1

real_path() { # a pyenv shim answers even for a version that is not there, so it is asked
    "$1" -c 'import sys
if "%d.%d" % sys.version_info[:2] != sys.argv[1]: sys.exit(1)
print(getattr(sys, "_base_executable", sys.executable))' "$wanted" 2>/dev/null
}

candidates() {
    printf '%s\n' "${PYTHON:-}" "python$wanted" "/usr/bin/python$wanted" "/usr/local/bin/python$wanted"
    printf '%s\n' "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$wanted".*/bin/python
    printf '%s\n' python3 python
    uv python find --no-project "$wanted" 2>/dev/null || true
}

while read -r candidate; do
    if [ -n "$candidate" ] && real_path "$candidate"; then exit 0; fi
done < <(candidates)

echo "setup: no Python $wanted on this machine. Install it (apt-get install python$wanted," \
    "or: uv python install $wanted), or set PYTHON to its path, then make setup again." >&2
exit 7
