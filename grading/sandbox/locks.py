"""The locks that a process puts on itself before it runs a student's code. Imported by the sandboxed child only.

Each lock that this system does not have is reported by name, and the others are applied all the same.

Own ctypes code rather than a library: of the Landlock bindings on PyPI, `landlock` has had pre-releases only and
knows neither sockets nor signals, the others are new and without a second release line. The calls are three, and
their numbers are the same on every processor.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import stat
import sys
from collections.abc import Callable, Sequence

LIMITS = "resource limits"
PRIVILEGES = "no new privileges"
USER = "unprivileged user"
VIEW = "view of files (Landlock)"
CALLS = "system calls (seccomp)"

FIRST_UID, UIDS, NOBODY = 61184, 4336, 65534
"""The range systemd keeps for short-lived users: each child gets one of its own, so that none can signal another."""

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_SET_SECCOMP = 1, 4, 8, 22
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 36, 38, 2
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAPABILITY_VERSION = 1, 2, 0x20080522
LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446
READ_FILE, READ_DIR = 1 << 2, 1 << 3
ACCESSES = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # Landlock's version -> how many kinds of access to files it handles

_libc = ctypes.CDLL(None, use_errno=True)


class _Ruleset(ctypes.Structure):
    _fields_ = [("files", ctypes.c_uint64), ("sockets", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = [("access", ctypes.c_uint64), ("folder", ctypes.c_int32)]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _prctl(option: int, value: int, program: object = None) -> None:
    if sys.platform != "linux":
        raise OSError("only Linux has prctl")
    longs = [ctypes.c_ulong(value), program or ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)]
    _checked(_libc.prctl(option, *longs))


def adopt_orphans() -> bool:
    """Makes every orphan among this process's descendants its own child, and keeps its memory from other processes."""
    try:
        _prctl(PR_SET_DUMPABLE, 0)
        _prctl(PR_SET_CHILD_SUBREAPER, 1)
    except OSError:
        return False
    return True


def die_with_parent(number: int) -> None:
    """Has the kernel send signal `number` to this process when its parent ends (where the kernel can)."""
    try:
        _prctl(PR_SET_PDEATHSIG, number)
    except OSError:
        return


def limit(cpu: int, memory: int) -> list[str]:
    """Caps CPU (s), address space (bytes), and forbids files, cores and processes; returns the missing locks."""
    caps = {
        "CPU": (cpu, cpu + 1),  # a soft limit that is ignored, then a hard one
        "AS": (memory, memory),
        "FSIZE": (0, 0),
        "NOFILE": (64, 64),
        "CORE": (0, 0),
        "NPROC": (0, 0),
        "MEMLOCK": (0, 0),
        "MSGQUEUE": (0, 0),
    }
    missing = []
    for name, (soft, hard) in caps.items():
        number = getattr(resource, f"RLIMIT_{name}", None)
        try:
            if number is not None:
                most = resource.getrlimit(number)[1]
                if most != resource.RLIM_INFINITY:
                    soft, hard = min(soft, most), min(hard, most)
                resource.setrlimit(number, (soft, hard))
        except (ValueError, OSError):
            missing.append(f"{LIMITS} ({name})")
    return missing


def lock(view: Sequence[str], folders: Sequence[str], program: bytes) -> list[str]:
    """Gives up everything but computing; returns the names of the locks this system lacks.

    `view` may be read (files, or folders with all they hold), the names in `folders` may be listed, and the process
    may make the system calls that `program` (a seccomp filter; empty: there is none) lets pass. A process of root
    becomes an unprivileged user, who keeps one privilege, to read what is in view, if `folders` are out of reach.
    """
    missing = []
    steps: list[tuple[str, Callable[[], None]]] = [
        (PRIVILEGES, lambda: _prctl(PR_SET_NO_NEW_PRIVS, 1)),
        (VIEW, lambda: _landlock(view, folders)),
        (USER, lambda: _become_nobody(folders)),
        (CALLS, lambda: _seccomp(program)),
    ]
    for name, step in steps:
        try:
            step()
            if name == USER:  # a change of user clears both
                die_with_parent(signal.SIGKILL)
                _prctl(PR_SET_DUMPABLE, 0)
        except OSError:
            missing.append(name)
    return missing


def _landlock(view: Sequence[str], folders: Sequence[str]) -> None:
    if sys.platform != "linux":
        raise OSError("only Linux has Landlock")
    call = _libc.syscall
    version = _checked(call(LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), 1))
    ruleset = _Ruleset((1 << ACCESSES.get(version, 16)) - 1, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    size = 8 if version < 4 else 16 if version < 6 else 24
    rules = _checked(call(LANDLOCK_CREATE_RULESET, ctypes.byref(ruleset), ctypes.c_size_t(size), 0))
    for access, paths in ((READ_FILE, view), (READ_DIR, folders)):
        for path in paths:
            try:
                found = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError:  # what is not there needs no permission
                continue
            rule = _Beneath(access, found)
            _checked(call(LANDLOCK_ADD_RULE, rules, 1, ctypes.byref(rule), 0))
            os.close(found)
    _checked(call(LANDLOCK_RESTRICT_SELF, rules, 0))
    os.close(rules)


def _become_nobody(needed: Sequence[str]) -> None:
    if os.geteuid() != 0:
        return
    head = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)()
    _checked(_libc.capget(ctypes.byref(head), ctypes.byref(sets)))
    readers = [1 << number for number in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE) if sets[1] >> number & 1]
    # The interpreter may lie in root's home. A root that could not give on how to read there stays root, unprivileged.
    kept = 0 if all(map(_open_to_all, needed)) else readers[0] if readers else None
    _prctl(PR_SET_KEEPCAPS, 1)
    try:
        if kept is None:
            raise PermissionError("the interpreter could no longer be read")
        _change_user()
    finally:
        _checked(_libc.capset(ctypes.byref(head), ctypes.byref((ctypes.c_uint32 * 6)(kept or 0, kept or 0))))


def _open_to_all(path: str) -> bool:
    """Whether every user may enter and list the folder `path`."""
    folders = [path]
    while folders[-1] != os.path.dirname(folders[-1]):
        folders.append(os.path.dirname(folders[-1]))
    modes = [os.stat(folder).st_mode for folder in folders]
    return bool(modes[0] & stat.S_IROTH) and all(mode & stat.S_IXOTH for mode in modes)


def _change_user() -> None:
    os.setgroups([])
    for uid in (FIRST_UID + os.getpid() % UIDS, NOBODY):  # a container may know few users
        with contextlib.suppress(OSError):
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            return
    raise PermissionError("there is no user to become")


def _seccomp(program: bytes) -> None:
    if not program:
        raise OSError("no filter was handed in")
    filtered = _Program(len(program) // 8, program)
    _prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(filtered))
