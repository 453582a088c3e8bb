"""What a sandboxed process may ask of the kernel: a seccomp filter, made once by the parent.

The filter is compiled by libseccomp, which knows every processor's system calls by name and which nearly every Linux
system carries. It is called directly: PyPI's `pyseccomp` has seen no release since 2021 and starts a compiler to find
the library, and libseccomp's own binding is not on PyPI.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from functools import lru_cache

COMPUTING = """
    brk mmap munmap mprotect mremap madvise futex membarrier rseq set_robust_list set_tid_address arch_prctl
    read readv pread64 preadv write writev lseek close dup dup2 dup3 pipe pipe2 poll ppoll select pselect6
    access faccessat faccessat2 stat lstat fstat newfstatat statx statfs fstatfs readlink readlinkat getcwd
    getdents getdents64 clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday time times getrusage
    rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack restart_syscall setitimer getitimer alarm pause
    getpid getppid gettid getuid geteuid getgid getegid getgroups getresuid getresgid getpgrp getrlimit uname sysinfo
    sched_yield sched_getaffinity getcpu getrandom exit exit_group
""".split()  # noqa: SIM905
"""What computing, importing, printing and waiting need. Everything else fails with "Operation not permitted"."""

READING = os.O_ACCMODE | os.O_CREAT | os.O_TRUNC if sys.platform == "linux" else 0
FCNTL = (0, 1, 2, 3, 4, 1030)  # duplicate, get and set flags; not: have another process signalled
IOCTL = (0x5401, 0x5413, 0x541B, 0x5450, 0x5451)  # is it a terminal, its size, what waits, close on exec

EQUAL, MASKED_EQUAL = 4, 7
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM


class _Comparison(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


@lru_cache(maxsize=1)
def program() -> bytes:
    """The filter as the kernel takes it; empty where there is no libseccomp."""
    try:
        lib = ctypes.CDLL("libseccomp.so.2")
    except OSError:
        return b""
    lib.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(lib.seccomp_init(REFUSE))
    conditions: list[tuple[str, int, int, int, int]] = [(name, -1, 0, 0, 0) for name in COMPUTING]
    conditions += [("open", 1, MASKED_EQUAL, READING, 0), ("openat", 2, MASKED_EQUAL, READING, 0)]
    conditions += [("prlimit64", 0, EQUAL, 0, 0)]  # its own limits only
    conditions += [("fcntl", 1, EQUAL, command, 0) for command in FCNTL]
    conditions += [("ioctl", 1, EQUAL, command, 0) for command in IOCTL]
    try:
        for name, argument, op, a, b in conditions:
            number = lib.seccomp_syscall_resolve_name(name.encode())
            if number < 0:  # not on this processor, or newer than the library
                continue
            comparison = _Comparison(max(argument, 0), op, a, b)
            lib.seccomp_rule_add_array(context, ALLOW, number, int(argument >= 0), ctypes.byref(comparison))
        return _exported(lib, context)
    finally:
        lib.seccomp_release(context)


def _exported(lib: ctypes.CDLL, context: ctypes.c_void_p) -> bytes:
    reading, writing = os.pipe()
    with open(reading, "rb") as source, open(writing, "wb") as sink:
        failed = lib.seccomp_export_bpf(context, sink.fileno())
        sink.close()
        return b"" if failed else source.read()
