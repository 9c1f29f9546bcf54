"""What a process takes from itself, for good: memory, open files, writes, network.

Three mechanisms of Linux, none of which needs privileges or a program; each is used where the
kernel has it. `setrlimit` bounds. seccomp refuses the system calls that open sockets, reach into
other processes or leave the process's group. Landlock (5.13 and later) refuses writes outside of
one folder, connections by TCP (6.7), and signals to processes outside (6.12).
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import struct
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20
OPEN_FILES = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a call may use.

    `time_s` is the longest silence: an import, which loads what is installed here, begins it anew.
    """

    memory_mib: int
    time_s: float
    file_mib: int


def confine(limits: Limits, folder: Path) -> tuple[str, ...]:
    """Confine this process, which must have one thread; only `folder` can be written from now on.

    Returns the mechanisms that are in force. What it has opened before stays open.
    """
    _bound(limits)
    if not sys.platform.startswith("linux"):
        return ("rlimits",)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, 9, 0, 0, 0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    made = {"landlock": _landlock(libc, folder), "seccomp": _seccomp(libc)}
    return ("rlimits", *(name for name, there in made.items() if there))


def _bound(limits: Limits) -> None:
    bounds = {
        # Private memory that can be written: the libraries' code, and what is only reserved, is not
        # counted, as RLIMIT_AS would.
        resource.RLIMIT_DATA: limits.memory_mib * MIB,
        resource.RLIMIT_FSIZE: limits.file_mib * MIB,
        resource.RLIMIT_NOFILE: OPEN_FILES,
        resource.RLIMIT_CORE: 0,
    }
    for kind, wanted in bounds.items():
        hard = resource.getrlimit(kind)[1]
        least = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(kind, (least, least))


_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP = 1, 38, 22

_ALLOW, _EPERM = 0x7FFF0000, 0x00050000 | 1  # SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # BPF's instructions that are used
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4  # in struct seccomp_data
_X32 = 0x40000000  # x86-64's second table of system calls begins here

_REFUSED = {
    "x86_64": (0xC000003E, (41, 101, 109, 112, 310, 311, 425, 438)),
    "aarch64": (0xC00000B7, (198, 117, 154, 157, 270, 271, 425, 438)),
}
"""Machine → its number in seccomp, and the numbers there of the system calls that are refused:
socket, ptrace, setpgid, setsid, process_vm_readv, process_vm_writev, io_uring_setup, pidfd_getfd.

`socketpair` stays: both of its ends are this process's own. A process that left its group would not
end with it.
"""


def _seccomp(libc: ctypes.CDLL) -> bool:
    if platform.machine() not in _REFUSED:
        return False
    machine, refused = _REFUSED[platform.machine()]
    last = len(refused) + 1  # how many instructions follow the first comparison of the number
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_EQUAL, 0, last + 2, machine),  # another machine's calls: refused
        (_LOAD, 0, 0, _NUMBER_AT),
        (_AT_LEAST, last, 0, _X32),
        *((_EQUAL, last - 1 - place, 0, call) for place, call in enumerate(refused)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _EPERM),
    ]
    packed = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    code = ctypes.create_string_buffer(packed, len(packed))
    header = struct.pack("@HP", len(program), ctypes.addressof(code))
    held = ctypes.create_string_buffer(header, len(header))
    return bool(libc.prctl(_PR_SET_SECCOMP, 2, ctypes.byref(held), 0, 0) == 0)


_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # on every machine
_WRITE_FILE, _REFER, _TRUNCATE = 1 << 1, 1 << 13, 1 << 14
_WRITES = _WRITE_FILE | sum(1 << bit for bit in range(4, 13))  # and remove and make, of all kinds
_ALWAYS_WRITABLE = ("/dev/null", "/dev/shm")  # noqa: S108 -- semaphores are made in the second


def _landlock(libc: ctypes.CDLL, folder: Path) -> bool:
    version = libc.syscall(_CREATE_RULESET, None, 0, 1)
    if version < 1:
        return False
    writes = _WRITES | (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    tcp = 0b11 if version >= 4 else 0  # bind, connect
    scope = 0b11 if version >= 6 else 0  # abstract sockets, signals
    size = 8 if version < 4 else 16 if version < 6 else 24
    wanted = struct.pack("=QQQ", writes, tcp, scope)[:size]
    rules = libc.syscall(_CREATE_RULESET, wanted, size, 0)
    if rules < 0:
        return False
    try:
        for path in (str(folder), *_ALWAYS_WRITABLE):
            _allow(libc, rules, path, writes)
        return bool(libc.syscall(_RESTRICT_SELF, rules, 0) == 0)
    finally:
        os.close(rules)


def _allow(libc: ctypes.CDLL, rules: int, path: str, writes: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    allowed = writes if os.path.isdir(path) else writes & (_WRITE_FILE | _TRUNCATE)  # noqa: PTH112
    libc.syscall(_ADD_RULE, rules, 1, struct.pack("=Qi", allowed, place), 0)
    os.close(place)
