"""From a run and a cluster to the package: the story, with and without building anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emr.machines.instances import arch_of
from emr.package.checksum import checksums_of
from emr.package.config import check_reach, config_bytes, resolved_config
from emr.package.environment import build_environment, environment_key
from emr.package.kept import keep
from emr.package.manifest import (
    LocalPackage,
    Package,
    PackedFile,
    Role,
    code_address,
    environment_address,
    package_of,
)
from emr.package.matched import matched
from emr.package.pin import Pinned, pin_models
from emr.package.requirements import Requirements, requirements_of
from emr.package.script import Script, script_of
from emr.package.sufficient import check_models, local_models
from emr.package.wheel import wheel_bytes, wheel_name
from sparkml.models.imported import imports_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from emr.job_run import JobRun
    from emr.spec import ClusterSpec
    from sparkml.models.imported import Imports

CONFIG = "config.yaml"
"""The configuration's name on the cluster: what `--config` says there."""


def _silent(_text: str) -> None:
    pass


def pack(
    run: JobRun,
    spec: ClusterSpec,
    *,
    cache: Path,
    allow_local: bool = False,
    report: Callable[[str], None] = _silent,
    stored: Callable[[str], PackedFile | None] = lambda _key: None,
) -> LocalPackage:
    """Everything that a run needs on the cluster, built or found in the cache; pins its models.

    Args:
        run: the run.
        spec: the cluster: its release's Python, its processors, where artifacts are stored.
        cache: a folder of this machine for what was built.
        allow_local: lets places of this machine stand in the configuration, for a cluster that
            runs on it.
        report: told what is being done, a line each.
        stored: tells what is stored at the environment's address, so that nobody builds it twice;
            see `environment_stored_in`.

    Returns:
        The package with every file's checksums. Half a minute where the environment is new, well
        under a second where it is known. No call to AWS but those of `stored`.

    Raises:
        ConfigError: the configuration is wrong, or names places that the cluster cannot reach; the
            environment lacks what a model imports.
        ModelError: a model cannot be found or read.
        PackageError: the environment cannot be built.
    """
    script = script_of(run.job)
    resolved = resolved_config(run, script.job)
    pinned = None
    may_lack: tuple[str, ...] = ()
    recorded: tuple[str, ...] = ()
    data = resolved.data
    if resolved.loaded is not None:
        config = resolved.loaded.config
        if not allow_local:
            check_reach(config)
        if script.job == "score":
            pinned = pin_models(config, ship=run.ship_model, artifacts=spec.artifacts)
            config = pinned.config
            recorded = matched(config, pinned.found, spec, archive=run.environment.archive)
            imports = {name: imports_of(*one) for name, one in pinned.found.items()}
            may_lack = check_models(imports, run.environment, _packed(run, spec, recorded))
        data = config_bytes(config)
    code = _code(script, data, spec, cache=cache)
    packed = _packed(run, spec, recorded)
    archive = _environment(run, spec, packed, cache=cache, report=report, stored=stored)
    package = package_of(
        spec.artifacts,
        script=code[0].key,
        wheel=code[1].key,
        config=code[2].key,
        archive=archive.key,
        archive_is=_is(archive) if run.environment.archive else "",
        models=pinned.models if pinned else (),
        files=(*code, archive, *(pinned.files if pinned else ())),
    )
    return LocalPackage(
        package=package,
        requirements=packed.names if packed else (),
        notes=(*_notes(pinned), *may_lack),
        kms_key=spec.security.at_rest_kms_key,
    )


def plan_package(run: JobRun, spec: ClusterSpec) -> Package:
    """The addresses that a run's parts would have: nothing is built, asked for or written.

    The models are not looked up, so the addresses of a scoring job's configuration and manifest
    stand for those that `pack` finds once its aliases are pinned. Those in files of this machine
    are looked into.

    Raises:
        ConfigError: the configuration is wrong; the environment lacks what such a model imports.
        PackageError: the environment's libraries are unknown here.
    """
    script = script_of(run.job)
    resolved = resolved_config(run, script.job)
    data = resolved.data if resolved.loaded is None else config_bytes(resolved.loaded.config)
    recorded: tuple[str, ...] = ()
    imports: dict[str, Imports] = {}
    if resolved.loaded is not None and script.job == "score":
        config = resolved.loaded.config
        found = local_models(config)
        recorded = matched(config, found, spec, archive=run.environment.archive)
        imports = {name: imports_of(*one) for name, one in found.items()}
    packed = _packed(run, spec, recorded)
    check_models(imports, run.environment, packed)

    def address(content: bytes, name: str) -> str:
        return code_address(spec.artifacts, checksums_of(content).sha256, name)

    return package_of(
        spec.artifacts,
        script=address(script.data, script.name),
        wheel=address(wheel_bytes(), wheel_name()),
        config=address(data, CONFIG),
        archive=run.environment.archive or (_environment_address(spec, packed) if packed else ""),
    )


def _is(archive: PackedFile) -> str:
    """What tells a named archive's bytes from others at its address; empty where none was seen."""
    known = archive.sha256 or archive.checksum
    return f"{archive.bytes} {known}" if known else ""


def _code(
    script: Script, config: bytes, spec: ClusterSpec, *, cache: Path
) -> tuple[PackedFile, PackedFile, PackedFile]:
    def packed(role: Role, name: str, data: bytes) -> PackedFile:
        sums = checksums_of(data)
        path = cache / "code" / sums.sha256[:32] / name
        keep(path, data)
        return PackedFile(
            role=role,
            key=code_address(spec.artifacts, sums.sha256, name),
            sha256=sums.sha256,
            bytes=sums.bytes,
            checksum=sums.s3,
            path=path,
        )

    return (
        packed("script", script.name, script.data),
        packed("wheel", wheel_name(), wheel_bytes()),
        packed("config", CONFIG, config),
    )


def _packed(run: JobRun, spec: ClusterSpec, recorded: tuple[str, ...]) -> Requirements | None:
    """What is packed; None where the run names an archive that is there."""
    chosen = run.environment
    if chosen.archive:
        return None
    machine = {"x86_64": "x86_64", "arm64": "aarch64"}[arch_of(spec)]
    return requirements_of(
        chosen.extras, chosen.requirements, python=spec.python, machine=machine, recorded=recorded
    )


def _environment_address(spec: ClusterSpec, requirements: Requirements) -> str:
    key = environment_key(requirements, python=spec.python, arch=arch_of(spec))
    return environment_address(spec.artifacts, key)


def _environment(
    run: JobRun,
    spec: ClusterSpec,
    requirements: Requirements | None,
    *,
    cache: Path,
    report: Callable[[str], None],
    stored: Callable[[str], PackedFile | None],
) -> PackedFile:
    """The environment's archive: the user's own, the stored one, the cache's, or built now."""
    if requirements is None:
        given = run.environment.archive or ""
        found = stored(given)
        return found or PackedFile(role="archive", key=given, sha256="", bytes=0, checksum="")
    key = _environment_address(spec, requirements)
    found = stored(key)
    if found is not None:
        return found
    built = build_environment(
        requirements,
        python=spec.python,
        arch=arch_of(spec),
        cache=cache / "environments",
        report=report,
    )
    return PackedFile(
        role="archive",
        key=key,
        sha256=built.sha256,
        bytes=built.bytes,
        checksum=built.checksum,
        content=built.content,
        path=built.path,
    )


def _notes(pinned: Pinned | None) -> tuple[str, ...]:
    if pinned is None:
        return ()
    return tuple(
        f"model {name}: {entry.origin or entry.uri} ({(entry.digest or 'no digest')[:12]}"
        f"{', travels with the run' if entry.uri in pinned.models else ''})"
        for name, entry in pinned.config.models.items()
    )
