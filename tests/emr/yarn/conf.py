"""The files of a conf folder, as EMR's nodes have them: Hadoop's XML, and Spark's defaults."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from tests.emr.yarn.jars import S3A, delta, spark_home

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

HOST = "127.0.0.1"

LOG4J2 = """rootLogger.level = info
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{HH:mm:ss.SSS} %p %c{1}: %m%n%ex
"""
"""How much the daemons say."""


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody has now."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind((HOST, 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def yarn_site(
    *, ports: Mapping[str, int], local: Path, logs: Path, memory_mib: int, vcores: int
) -> dict[str, str]:
    """One node, which holds everything on loopback; no cgroups, no root."""
    rm, nm = "yarn.resourcemanager", "yarn.nodemanager"
    addresses = {f"yarn.{name}.address": f"{HOST}:{port}" for name, port in ports.items()}
    return {
        "yarn.resourcemanager.hostname": HOST,
        "yarn.resourcemanager.bind-host": HOST,
        "yarn.nodemanager.hostname": HOST,
        "yarn.nodemanager.bind-host": HOST,
        **addresses,
        f"{nm}.resource.memory-mb": str(memory_mib),
        f"{nm}.resource.cpu-vcores": str(vcores),
        f"{nm}.vmem-check-enabled": "false",
        f"{nm}.pmem-check-enabled": "false",
        f"{nm}.local-dirs": str(local),
        f"{nm}.log-dirs": str(logs),
        # By default a disk that is 90 % full ends every container, without a word in its log.
        f"{nm}.disk-health-checker.max-disk-utilization-per-disk-percentage": "100",
        f"{nm}.sleep-delay-before-sigkill.ms": "250",
        f"{nm}.resourcemanager.minimum.version": "NONE",
        "yarn.scheduler.minimum-allocation-mb": "256",
        "yarn.am.liveness-monitor.expiry-interval-ms": "120000",
        f"{rm}.am.max-attempts": "1",
        # Heartbeats as short as they go: half of a small job's time is waiting for them.
        f"{rm}.nodemanagers.heartbeat-interval-ms": "200",
        f"{nm}.heartbeat.interval-ms": "200",
    }


def capacity_scheduler() -> dict[str, str]:
    """One queue, shared by CPU, memory and whatever else is counted, as EMR's GPU set-up asks."""
    queue = "yarn.scheduler.capacity"
    return {
        f"{queue}.root.queues": "default",
        f"{queue}.root.default.capacity": "100",
        f"{queue}.maximum-am-resource-percent": "1.0",
        f"{queue}.resource-calculator": (
            "org.apache.hadoop.yarn.util.resource.DominantResourceCalculator"
        ),
    }


def spark_defaults(folder: Path, s3_endpoint: str, keys: tuple[str, str] | None) -> dict[str, str]:
    """What a step's argv finds on the node: master, jars in place, S3A for `s3://`."""
    s3a = "spark.hadoop.fs.s3a"
    settings = {
        "spark.master": "yarn",
        # On each node already, so nothing of Spark is copied on each submission.
        "spark.yarn.jars": f"local:{spark_home()}/jars/*",
        "spark.yarn.stagingDir": (folder / "staging").as_uri(),
        "spark.yarn.maxAppAttempts": "1",
        "spark.yarn.am.waitTime": "100s",
        "spark.yarn.submit.waitAppCompletion": "true",
        "spark.yarn.report.interval": "500ms",
        "spark.ui.enabled": "false",
        "spark.driver.memory": "640m",
        "spark.executor.memory": "512m",
        "spark.executor.cores": "2",
        "spark.executor.instances": "1",
        "spark.sql.shuffle.partitions": "2",
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        f"{s3a}.endpoint": s3_endpoint,
        f"{s3a}.endpoint.region": "us-east-1",
        f"{s3a}.path.style.access": "true",
        f"{s3a}.attempts.maximum": "2",
        f"{s3a}.retry.limit": "2",
    }
    if keys:
        settings |= {f"{s3a}.access.key": keys[0], f"{s3a}.secret.key": keys[1]}
    return settings


def class_path() -> str:
    """What is on a node's class path besides Spark: S3A and Delta."""
    return f"{S3A}/*:{delta()}/*"


def write_xml(file: Path, properties: Mapping[str, str]) -> None:
    """A configuration file as Hadoop reads it."""
    rows = [
        f"  <property><name>{escape(name)}</name><value>{escape(value)}</value></property>"
        for name, value in properties.items()
    ]
    file.write_text("\n".join(["<configuration>", *rows, "</configuration>", ""]))


def write_defaults(file: Path, settings: Mapping[str, str]) -> None:
    """`spark-defaults.conf`."""
    file.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
