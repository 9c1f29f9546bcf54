"""Fetches the Delta jars of one row of tools/matrix/rows.txt into a folder, once, by Ivy.

Ivy comes with Spark, so nothing else is needed. Spark's own `--packages` would do the same at
every start of a session, would trust a half-filled Maven folder of this machine, and would fetch
80 MB that Spark ships already. Each jar is compared with the sha256 kept in tools/locks.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path
from xml.sax.saxutils import quoteattr

from trust_store import write_trust_store

ROWS = Path("tools/matrix/rows.txt")
LOCKS = Path("tools/locks")
NOT_IN_SPARK = r"^(?!io\.delta$|io\.unitycatalog$).*"  # every other group is among Spark's own jars

SETTINGS = """<ivysettings>
  <settings defaultResolver="maven"/>
  <caches defaultCacheDir={cache}/>
  <resolvers><ibiblio name="maven" m2compatible="true" {root}/></resolvers>
</ivysettings>
"""  # without a root, Ivy takes Maven Central

MODULE = """<ivy-module version="2.0">
  <info organisation="sparkml" module="jars"/>
  <dependencies>
    <dependency org="{group}" name="{artifact}" rev="{version}" conf="default"/>
    <exclude org={excluded} matcher="regexp"/>
  </dependencies>
</ivy-module>
"""


def main() -> int:
    """Fetches, or with --check only looks; returns 1 where the folder is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("row", help="a name in the first column of tools/matrix/rows.txt")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--java", type=Path, help="the home of the Java that runs Ivy")
    parser.add_argument("--check", action="store_true", help="fetch nothing")
    options = parser.parse_args()
    promised = LOCKS / f"{options.folder.name}.sha256"
    if options.check:
        return int(not promised.exists() or sums(options.folder) != promised.read_text())
    coordinate = coordinate_of(options.row)
    Path(".cache").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=".cache") as scratch:
        fetched = fetch(coordinate, Path(scratch).resolve(), options.java)
        if not promised.exists():  # a new row: what is fetched first is what later runs must get
            promised.write_text(sums(fetched))
        if sums(fetched) != promised.read_text():
            sys.exit(
                f"setup: the jars of {coordinate} are not those of {promised}:\n{sums(fetched)}"
            )
        shutil.rmtree(options.folder, ignore_errors=True)
        options.folder.parent.mkdir(exist_ok=True)
        fetched.rename(options.folder)
    return 0


def coordinate_of(row: str) -> str:
    """The Maven coordinate in the last column of the row's line."""
    for line in ROWS.read_text().splitlines():
        if line.split()[:1] == [row]:
            return line.split()[-1]
    sys.exit(f"setup: no row {row} in {ROWS}")


def fetch(coordinate: str, scratch: Path, java: Path) -> Path:
    """A folder in scratch with the jars of the coordinate, and without what Spark ships."""
    group, artifact, version = coordinate.split(":")
    mirror = maven_mirror()
    settings, module, jars = scratch / "settings.xml", scratch / "ivy.xml", scratch / "jars"
    settings.write_text(
        SETTINGS.format(
            cache=quoteattr(str(scratch / "cache")),
            root=f"root={quoteattr(mirror)}" if mirror else "",
        )
    )
    module.write_text(
        MODULE.format(
            group=group, artifact=artifact, version=version, excluded=quoteattr(NOT_IN_SPARK)
        )
    )
    command: list[str | Path] = [
        java / "bin" / "java",
        *trust_options(scratch),
        "-cp",
        spark_jars() + "/*",
    ]
    command += ["org.apache.ivy.Main", "-settings", settings, "-ivy", module, "-types", "jar"]
    pattern = f"{jars}/[organisation]_[artifact]-[revision].[ext]"
    done = subprocess.run(
        [*command, "-retrieve", pattern],
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode or not any(jars.glob("*.jar")):
        print(done.stdout, file=sys.stderr)
        sys.exit(
            f"setup: {coordinate} could not be fetched (Ivy's words above). Fix: check the network;"
            " behind a Maven mirror set DEFAULT_ARTIFACT_REPOSITORY to its address."
        )
    return jars


def maven_mirror() -> str | None:
    """The machine's own mirror of Maven Central, by Spark's variable or Maven's settings."""
    settings = Path.home() / ".m2" / "settings.xml"
    named = os.environ.get("DEFAULT_ARTIFACT_REPOSITORY")
    if named or not settings.exists():
        return named
    for mirror in ET.parse(settings).getroot().iterfind(".//{*}mirror"):
        if mirror.findtext("{*}mirrorOf") in {"*", "central", "external:*"}:
            return mirror.findtext("{*}url")
    return None


def trust_options(scratch: Path) -> list[str]:
    """Makes Java trust what Python and uv trust here, unless its user has said otherwise."""
    spoken = os.environ.get("JAVA_TOOL_OPTIONS", "") + os.environ.get("JDK_JAVA_OPTIONS", "")
    store = scratch / "trust.jks"
    if "trustStore" in spoken or not write_trust_store(store):
        return []
    return [f"-Djavax.net.ssl.trustStore={store}", "-Djavax.net.ssl.trustStoreType=JKS"]


def spark_jars() -> str:
    """The folder of Spark's own jars, found without importing Spark."""
    return str(next(Path(sys.prefix).glob("lib/python3*/site-packages/pyspark/jars")))


def sums(folder: Path) -> str:
    """One line for each jar of the folder, sorted by name, as sha256sum writes it."""
    return "".join(
        f"{hashlib.sha256(jar.read_bytes()).hexdigest()}  {jar.name}\n"
        for jar in sorted(folder.glob("*.jar"))
    )


if __name__ == "__main__":
    sys.exit(main())
