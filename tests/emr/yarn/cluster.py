"""`Yarn`: a ResourceManager and a NodeManager in JVMs of their own, up for as long as a block."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.emr.yarn import conf, gpu, rest
from tests.emr.yarn.jars import daemon_class_path, spark_home

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

OPENS = [f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in ("lang", "util", "io")]
MANAGERS = {
    "resourcemanager": "org.apache.hadoop.yarn.server.resourcemanager.ResourceManager",
    "nodemanager": "org.apache.hadoop.yarn.server.nodemanager.NodeManager",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """A `spark-submit` that has ended, and the application that it started, if any."""

    status: int
    stderr: str
    application: str
    logs: Mapping[str, str]
    """Each file of each container: `container_…_000001/stdout` is the driver's."""
    seconds: float

    @property
    def driver(self) -> str:
        """What the driver printed, standard output and error."""
        return "\n".join(text for name, text in self.logs.items() if "_000001/" in name)

    @property
    def workers(self) -> str:
        """What the executors printed."""
        return "\n".join(text for name, text in self.logs.items() if "_000001/" not in name)


class Yarn:
    """One node's YARN, its files under `folder`; some 15 s to start, two JVMs of 512 MiB at most.

    Args:
        folder: where configuration, staging, local and log folders go.
        s3_endpoint: the S3 server that `s3://` means on this cluster.
        s3_keys: S3A's keys in the cluster's configuration; None: it has none there.
        gpus: how many GPUs the node says it has, without having one.
        local: the NodeManager's local folder, if it has to be elsewhere.
    """

    def __init__(
        self,
        folder: Path,
        *,
        s3_endpoint: str,
        s3_keys: tuple[str, str] | None = None,
        gpus: int = 0,
        local: Path | None = None,
        memory_mib: int = 6144,
    ) -> None:
        self.folder, self.local = folder, local or folder / "local"
        self.conf_dir, self.logs = folder / "conf", folder / "logs"
        self._endpoint, self._keys, self._gpus = s3_endpoint, s3_keys, gpus
        self._memory_mib = memory_mib
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Yarn:
        self._configure()
        atexit.register(self.stop)
        try:
            for name in MANAGERS:  # both at once: the NodeManager waits for the other
                self._start(name)
            self._wait_until_up(timeout_s=90)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        atexit.unregister(self.stop)

    def environment(self) -> dict[str, str]:
        """What a process needs to submit: on EMR the node's own /etc/{hadoop,spark}/conf.

        Its `python3.11` has none of the libraries of these tests: what a job needs must travel.
        """
        kept = ("HOME", "JAVA_HOME", "LANG", "TMPDIR", "USER")
        bare, ours = Path(sys.base_prefix, "bin"), Path(sys.prefix, "bin")
        others = [p for p in os.environ["PATH"].split(":") if Path(p) != ours]
        return {
            **{name: os.environ[name] for name in kept if name in os.environ},
            "PATH": ":".join([str(bare), *others, str(ours)]),
            "HADOOP_CONF_DIR": str(self.conf_dir),
            "SPARK_CONF_DIR": str(self.conf_dir),
            "SPARK_HOME": str(spark_home()),
            "SPARK_DIST_CLASSPATH": conf.class_path(),
        }

    def submit(
        self, argv: Sequence[str], *, timeout_s: float = 300, **environment: str
    ) -> Submitted:
        """Run a step's argv to its end, as `command-runner.jar` does."""
        began = time.monotonic()
        done = subprocess.run(
            list(argv),
            env=self.environment() | environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        application = rest.application_in(done.stderr)
        return Submitted(
            status=done.returncode,
            stderr=done.stderr,
            application=application,
            logs=rest.container_logs(self.logs, application) if application else {},
            seconds=round(time.monotonic() - began, 1),
        )

    def stop(self) -> None:
        """End the daemons, and what their containers may have left running."""
        for daemon in reversed(self._daemons.values()):  # the NodeManager first: it ends containers
            with suppress(ProcessLookupError):
                os.killpg(daemon.pid, signal.SIGTERM)
        for daemon in self._daemons.values():
            with suppress(subprocess.TimeoutExpired):  # some thread of theirs would stay 30 s
                daemon.wait(timeout=4)
            with suppress(ProcessLookupError):
                os.killpg(daemon.pid, signal.SIGKILL)
            daemon.wait()
        self._daemons.clear()
        for pid in self._left_running():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _left_running(self) -> list[int]:
        """Containers' processes: each works in a folder of its own under `local`."""
        mine, found = str(self.local.resolve()) + "/", []
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                with suppress(OSError):
                    if str((entry / "cwd").readlink()).startswith(mine):
                        found.append(int(entry.name))
        return found

    def _configure(self) -> None:
        self.conf_dir.mkdir(parents=True)
        for made in (self.local, self.logs, self.folder / "staging"):
            made.mkdir(parents=True, exist_ok=True)
        names = (
            "resourcemanager", "resourcemanager.scheduler", "resourcemanager.resource-tracker",
            "resourcemanager.admin", "resourcemanager.webapp",
            "nodemanager", "nodemanager.localizer", "nodemanager.webapp",
        )  # fmt: skip
        ports = dict(zip(names, conf.free_ports(len(names)), strict=True))
        self.rest_url = f"http://{conf.HOST}:{ports['resourcemanager.webapp']}/ws/v1/cluster"
        site = conf.yarn_site(
            ports=ports, local=self.local, logs=self.logs, memory_mib=self._memory_mib, vcores=4
        )
        defaults = conf.spark_defaults(self.folder, self._endpoint, self._keys)
        if self._gpus:
            site |= gpu.yarn_site(self.conf_dir, self._gpus)
            conf.write_xml(self.conf_dir / "resource-types.xml", gpu.RESOURCE_TYPES)
        conf.write_xml(self.conf_dir / "core-site.xml", {"fs.defaultFS": "file:///"})
        conf.write_xml(self.conf_dir / "yarn-site.xml", site)
        conf.write_xml(self.conf_dir / "capacity-scheduler.xml", conf.capacity_scheduler())
        conf.write_defaults(self.conf_dir / "spark-defaults.conf", defaults)
        (self.folder / "log4j2.properties").write_text(conf.LOG4J2)

    def _start(self, name: str) -> None:
        java = shutil.which("java", path=self.environment()["PATH"])
        home = os.environ.get("JAVA_HOME")
        command = [f"{home}/bin/java" if home else java or "java", *OPENS, "-Xmx512m"]
        command.append(f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}")
        # Where this process is killed, atexit says nothing: the kernel tells the daemons.
        follow = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
        with (self.folder / f"{name}.log").open("wb") as log:
            self._daemons[name] = subprocess.Popen(
                [*follow, *command, "-cp", daemon_class_path(self.conf_dir), MANAGERS[name]],
                env={**self.environment(), "YARN_CONF_DIR": str(self.conf_dir)},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _wait_until_up(self, *, timeout_s: float) -> None:
        until = time.monotonic() + timeout_s
        while rest.running_nodes(self.rest_url) < 1:
            for name, daemon in self._daemons.items():
                if daemon.poll() is not None or time.monotonic() > until:
                    said = (self.folder / f"{name}.log").read_text(errors="replace")[-4000:]
                    raise AssertionError(f"{name} did not come up: {daemon.poll()}\n{said}")
            time.sleep(0.3)
