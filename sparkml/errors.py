"""Every error that sparkml raises on purpose: one tree, each with a code, an exit status and a fix.

    SparkMLError
    ├── ConfigError            2  the job's configuration is wrong
    ├── InputError             3  the table and the model do not fit together
    │   ├── SourceError           the source is missing or cannot be read
    │   ├── SignatureError        a column is missing, misnamed or mistyped
    │   └── NullInputError        a null where the declared policy says `fail`
    ├── ModelError             4  the model cannot be used
    │   ├── ModelNotFound         no such model, version, alias, folder or file
    │   ├── RegistryUnreachable   the tracking server does not answer
    │   ├── DigestMismatch        the files are not the ones that were promised
    │   ├── UntrustedModel        the trust policy refuses this format
    │   ├── UnsupportedFlavor     no flavor reads these files
    │   ├── SignatureUnknown      neither model nor caller says which columns it takes
    │   ├── ModelUnreadable       the flavor could not open the files
    │   ├── EnvironmentMismatch   libraries differ from those it was trained with
    │   ├── ContractViolation     the model returned something other than it declared
    │   └── NotFitted             too many models could not be fitted
    ├── QuarantineLimit        5  too many rows could not be scored
    ├── SinkError              6  the output cannot be written
    │   ├── SinkNotWritable       no permission, no such bucket, a file in the way
    │   ├── SinkSchemaError       the table's columns are not the output's
    │   ├── UnsupportedTable      the table has features that this writer cannot honour
    │   └── CommitConflict        another writer changed what this run read
    ├── SetupError             7  the machine lacks something
    │   ├── JavaMissing           no Java 17 or later
    │   ├── VersionsIncompatible  Spark, Delta and pandas that do not belong together
    │   ├── ExtraMissing          an optional dependency is not installed
    │   └── GpuMissing            a model is told to use a GPU, and there is none for it
    └── JobFailed              8  Spark gave up on the job

Status 0 is success, 1 an unexpected error, 130 an interruption (Ctrl-C), 143 a SIGTERM.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, ClassVar

from sparkml.redaction import one_line, safe_line

if TYPE_CHECKING:
    from collections.abc import Iterable


SEPARATOR = " | "
"""Between what, where and fix in an error's text."""


LONGEST = 1_000
"""Characters of an error's line, its code and all; what is too long is cut, the fix last."""
_LONGEST_FIX, _LONGEST_WHERE = 600, 200


class SparkMLError(Exception):
    """The root: catch it to catch everything that sparkml raises on purpose.

    `what` is the fact, `where` the place (a key, a file, a column), `fix` what to do about it.
    """

    code: ClassVar[str] = "INTERNAL"
    exit_status: ClassVar[int] = 1

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        # Here, so that `repr`, a traceback and a pickle hold no secret either.
        self.what, self.where, self.fix = _safe(what), _safe(where), _safe(fix)
        super().__init__(self.what, self.where, self.fix)

    def __str__(self) -> str:
        what, where, fix = self._parts()
        parts = [what, where, f"fix: {fix}" if fix else ""]
        return SEPARATOR.join(part for part in parts if part)

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.what, self.where, self.fix)

    def _parts(self) -> tuple[str, str, str]:
        """What, where and fix, cut to what one line has room for."""
        left = LONGEST - len(f"ERROR {self.code}: fix: ") - 2 * len(SEPARATOR)
        fix = one_line(self.fix, _LONGEST_FIX)
        room = left - len(fix)
        where = one_line(self.where, max(_LONGEST_WHERE, room - len(self.what)))
        return one_line(self.what, room - len(where)), where, fix

    def to_json(self) -> dict[str, str | int]:
        """The error as plain values, for a result file."""
        what, where, fix = self._parts()
        return {
            "code": self.code,
            "exit_status": self.exit_status,
            "what": what,
            "where": where,
            "fix": fix,
        }

    def line(self) -> str:
        """The error as the one line that a driver prints last."""
        return f"ERROR {self.code}: {self}"


def _safe(text: str) -> str:
    """The text as it may be shown; what is far beyond a line's room is not even looked at."""
    return safe_line(str(text)[: 4 * LONGEST])


def _rebuild(kind: type[SparkMLError], what: str, where: str, fix: str) -> SparkMLError:
    return kind(what, where=where, fix=fix)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The nearest known name as a hint, or the first few of them when none is near."""
    names = [str(k) for k in known]
    lower = {n.lower(): n for n in reversed(names)}
    near = get_close_matches(name.lower(), lower, n=1, cutoff=0.6)
    if near:
        return f"did you mean '{lower[near[0]]}'?"
    shown = ", ".join(repr(n) for n in names[:8])
    return f"known: {shown}{', …' if len(names) > 8 else ''}" if names else "none is known"


class ConfigError(SparkMLError, ValueError):
    """The configuration is wrong; `problems` holds every mistake, not just the first."""

    code, exit_status = "CONFIG_INVALID", 2

    def __init__(
        self, what: str, *, where: str = "", fix: str = "", problems: tuple[str, ...] = ()
    ) -> None:
        super().__init__(what, where=where, fix=fix)
        self.problems = tuple(safe_line(problem, LONGEST) for problem in problems)


class InputError(SparkMLError, ValueError):
    """The table and the model do not fit together."""

    code, exit_status = "INPUT_INVALID", 3


class SourceError(InputError):
    """The source is missing or cannot be read."""

    code = "SOURCE_UNREADABLE"


class SignatureError(InputError):
    """A column is missing, misnamed or mistyped; raised before any task starts."""

    code = "SIGNATURE_MISMATCH"


class NullInputError(InputError):
    """A null or NaN in a column whose null policy is `fail`."""

    code = "NULL_INPUT"


class ModelError(SparkMLError):
    """The model cannot be used."""

    code, exit_status = "MODEL_INVALID", 4


class ModelNotFound(ModelError, LookupError):
    """There is no such model, version, alias, folder or file."""

    code = "MODEL_NOT_FOUND"


class RegistryUnreachable(ModelError, ConnectionError):
    """The MLflow tracking server does not answer."""

    code = "REGISTRY_UNREACHABLE"


class DigestMismatch(ModelError, ValueError):
    """The model's files are not those that its tag or `model.sha256` promised."""

    code = "MODEL_DIGEST_MISMATCH"


class UntrustedModel(ModelError, PermissionError):
    """The trust policy refuses a format that runs code when it is loaded."""

    code = "MODEL_REFUSED"


class UnsupportedFlavor(ModelError, ValueError):
    """No flavor reads these files."""

    code = "FLAVOR_UNSUPPORTED"


class SignatureUnknown(ModelError, ValueError):
    """Neither the model nor the caller says which columns it takes or gives."""

    code = "SIGNATURE_UNKNOWN"


class ModelUnreadable(ModelError, ValueError):
    """The flavor could not open the model's files."""

    code = "MODEL_UNREADABLE"


class EnvironmentMismatch(ModelError, ImportError):
    """The libraries here differ from those that the model was trained with."""

    code = "MODEL_ENVIRONMENT"


class ContractViolation(ModelError, RuntimeError):
    """The model returned another number of rows, or other types, than it declared."""

    code = "MODEL_CONTRACT"


class NotFitted(ModelError, RuntimeError):
    """The fit of more keys failed than `max_failed` allows; nothing is stored."""

    code = "MODEL_NOT_FITTED"


class QuarantineLimit(SparkMLError, RuntimeError):
    """More rows than `max_quarantine` allows could not be scored; a Delta sink commits nothing."""

    code, exit_status = "QUARANTINE_LIMIT", 5


class SinkError(SparkMLError):
    """The output cannot be written."""

    code, exit_status = "SINK_INVALID", 6


class SinkNotWritable(SinkError, PermissionError):
    """The output path cannot be written."""

    code = "SINK_NOT_WRITABLE"


class SinkSchemaError(SinkError, ValueError):
    """The table's columns are not the output's, and no merge was declared."""

    code = "SINK_SCHEMA"


class UnsupportedTable(SinkError, NotImplementedError):
    """The Delta table has features that this writer cannot honour."""

    code = "TABLE_UNSUPPORTED"


class CommitConflict(SinkError, RuntimeError):
    """Another writer changed what this run read; nothing of this run was committed."""

    code = "COMMIT_CONFLICT"


class SetupError(SparkMLError):
    """The machine lacks something that the job needs."""

    code, exit_status = "SETUP_INVALID", 7


class JavaMissing(SetupError, OSError):
    """There is no Java 17 or later on this machine."""

    code = "JAVA_MISSING"


class VersionsIncompatible(SetupError, ImportError):
    """Spark, Delta and pandas that do not belong together."""

    code = "VERSIONS_INCOMPATIBLE"


class ExtraMissing(SetupError, ImportError):
    """An optional dependency is not installed; the fix names the extra."""

    code = "EXTRA_MISSING"


class GpuMissing(SetupError, RuntimeError):
    """A model is told to use a GPU, and none is there, or the task was given none."""

    code = "GPU_MISSING"


class JobFailed(SparkMLError, RuntimeError):
    """Spark gave up on the job; a Delta sink commits nothing."""

    code, exit_status = "JOB_FAILED", 8
