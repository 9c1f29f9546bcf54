"""Fetches jars that only tests need: real YARN daemons and real S3A (60 MB), Iceberg (46 MB).

Folders, each resolved by Ivy (it comes with Spark) and compared with the sha256 kept in
tools/locks. hadoop-aws asks for one bundle of every AWS service, 630 MB; it runs as well on the few
modules of the same SDK that it uses, with the libraries that Spark ships.
A folder that is there and right is left alone; one half fetched never gets its name.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import quoteattr

from delta_jars import LOCKS, SETTINGS, maven_mirror, spark_jars, sums, trust_options

HADOOP, SDK = "3.4.2", "2.29.52"  # of pyspark 4.1's jars, and what that Hadoop is built with
ICEBERG = "1.11.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """Jars that go together; `groups` are the Maven groups, that may come along (a pattern)."""

    name: str
    coordinates: tuple[str, ...]
    groups: str


FOLDERS = (
    Folder(
        name=f"yarn-{HADOOP}",
        coordinates=(
            f"org.apache.hadoop:hadoop-client-minicluster:{HADOOP}",
            "org.bouncycastle:bcprov-jdk18on:1.82",
            "org.bouncycastle:bcpkix-jdk18on:1.82",
            "org.bouncycastle:bcutil-jdk18on:1.82",
            "javax.xml.bind:jaxb-api:2.3.1",
            "com.sun.xml.bind:jaxb-impl:2.3.9",
            "com.sun.xml.bind:jaxb-core:2.3.0.1",
            "javax.activation:activation:1.1.1",
        ),
        groups="",
    ),
    Folder(
        name=f"s3a-{HADOOP}",
        coordinates=(
            f"org.apache.hadoop:hadoop-aws:{HADOOP}",
            f"software.amazon.awssdk:s3:{SDK}",
            f"software.amazon.awssdk:s3-transfer-manager:{SDK}",
            f"software.amazon.awssdk:sts:{SDK}",
            f"software.amazon.awssdk:apache-client:{SDK}",
            f"software.amazon.awssdk:netty-nio-client:{SDK}",
        ),
        groups=r"software\.amazon\..*|org\.reactivestreams",
    ),
    Folder(
        name=f"iceberg-{ICEBERG}",
        coordinates=(f"org.apache.iceberg:iceberg-spark-runtime-4.1_2.13:{ICEBERG}",),
        groups="",
    ),
)

MODULE = """<ivy-module version="2.0">
  <info organisation="sparkml" module="jars"/>
  <dependencies>
    {dependencies}
    <exclude org="software.amazon.awssdk" module="bundle"/>
    <exclude org={excluded} matcher="regexp"/>
  </dependencies>
</ivy-module>
"""
DEPENDENCY = '<dependency org="{}" name="{}" rev="{}" conf="default" transitive="{}"/>'


def main() -> int:
    """Fetches what is missing, or with --check only looks; 1 where a folder is not right."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = [folder.name.partition("-")[0] for folder in FOLDERS]
    parser.add_argument("names", nargs="+", choices=names, help="the folders to fetch")
    parser.add_argument("--parent", type=Path, default=Path(".jars"))
    parser.add_argument("--java", type=Path, help="the home of the Java that runs Ivy")
    parser.add_argument("--check", action="store_true", help="fetch nothing")
    options = parser.parse_args()
    asked = [folder for folder in FOLDERS if folder.name.partition("-")[0] in options.names]
    missing = [folder for folder in asked if not is_ready(folder, options.parent)]
    if options.check or not missing:
        return int(bool(missing))
    Path(".cache").mkdir(exist_ok=True)
    for folder in missing:
        began = time.monotonic()
        print(f"setup: fetching {folder.name} for the tests", file=sys.stderr)
        with tempfile.TemporaryDirectory(dir=".cache") as scratch:
            place(fetch(folder, Path(scratch).resolve(), options.java), folder, options.parent)
        jars = list((options.parent / folder.name).glob("*.jar"))
        mib = sum(jar.stat().st_size for jar in jars) >> 20
        print(f"setup: {len(jars)} jars, {mib} MiB, {time.monotonic() - began:.0f} s")
    return 0


def is_ready(folder: Folder, parent: Path) -> bool:
    """Whether the folder's jars are those of tools/locks."""
    promised = LOCKS / f"{folder.name}.sha256"
    return promised.exists() and sums(parent / folder.name) == promised.read_text()


def place(jars: Path, folder: Folder, parent: Path) -> None:
    """Give the fetched jars their name, if they are the promised ones."""
    promised = LOCKS / f"{folder.name}.sha256"
    if not promised.exists():  # a new set: what is fetched first is what later runs must get
        promised.write_text(sums(jars))
    if sums(jars) != promised.read_text():
        sys.exit(f"setup: the jars of {folder.name} are not those of {promised}:\n{sums(jars)}")
    shutil.rmtree(parent / folder.name, ignore_errors=True)
    parent.mkdir(exist_ok=True)
    jars.rename(parent / folder.name)


def fetch(folder: Folder, scratch: Path, java: Path | None) -> Path:
    """A folder in scratch with the jars, by Ivy."""
    mirror = maven_mirror()
    settings, module, jars = scratch / "settings.xml", scratch / "ivy.xml", scratch / "jars"
    cache = quoteattr(str(scratch / "cache"))
    root = f"root={quoteattr(mirror)}" if mirror else ""
    settings.write_text(SETTINGS.format(cache=cache, root=root))
    whole = "true" if folder.groups else "false"
    named = [DEPENDENCY.format(*one.split(":"), whole) for one in folder.coordinates]
    excluded = rf"^(?!({folder.groups}|org\.apache\.hadoop)$).*" if folder.groups else "^$"
    module.write_text(
        MODULE.format(dependencies="\n    ".join(named), excluded=quoteattr(excluded))
    )
    command: list[str | Path] = [java / "bin" / "java" if java else "java", *trust_options(scratch)]
    command += ["-cp", spark_jars() + "/*", "org.apache.ivy.Main", "-settings", settings]
    command += ["-ivy", module, "-types", "jar"]
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
        print(done.stdout[-6000:], file=sys.stderr)
        sys.exit(
            f"setup: {folder.name} could not be fetched (Ivy's words above). Fix: check the "
            "network; behind a Maven mirror set DEFAULT_ARTIFACT_REPOSITORY to its address."
        )
    return jars


if __name__ == "__main__":
    sys.exit(main())
