# shellcheck shell=bash
# Sourced: lets uv use the package index and certificates that this machine gives to pip.
#
# uv reads neither pip.conf nor PIP_*. What is set for uv itself wins. Needs $python.

pip_setting() { # pip's own value of a setting: environment first, then its files
    local scope value
    for scope in ':env:' install global; do
        value=$(sed -n "s/^$scope\.$1='\(.*\)'\$/\1/p" <<<"$pip_settings")
        if [ -n "$value" ]; then
            printf '%s\n' "$value"
            return
        fi
    done
}

: "${python:?the Python whose pip is asked}"
pip_settings=$("$python" -m pip config list 2>/dev/null ||
    env | sed -n "s/^PIP_INDEX_URL=\(.*\)/:env:.index-url='\1'/p; s/^PIP_EXTRA_INDEX_URL=\(.*\)/:env:.extra-index-url='\1'/p; s/^PIP_CERT=\(.*\)/:env:.cert='\1'/p")

if [ -z "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ] && [ -n "$(pip_setting index-url)" ]; then
    UV_DEFAULT_INDEX=$(pip_setting index-url)
    export UV_DEFAULT_INDEX
fi
if [ -z "${UV_INDEX:-}${UV_EXTRA_INDEX_URL:-}" ] && [ -n "$(pip_setting extra-index-url)" ]; then
    UV_INDEX=$(pip_setting extra-index-url | sed 's/\\n/ /g')
    export UV_INDEX
fi
if [ -z "${SSL_CERT_FILE:-}" ] && [ -f "$(pip_setting cert)" ]; then
    SSL_CERT_FILE=$(pip_setting cert)
    export SSL_CERT_FILE
fi
