"""Folders for one child each: in memory, and gone afterwards whatever was done to them."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

try:
    from fcntl import LOCK_EX, LOCK_NB, flock
except ImportError:  # not on Windows, where nothing is graded
    flock = None  # type: ignore[assignment]

MEMORY = "/dev/shm"
PREFIX = "handgrad-child-"
OLD = 600.0
"""Seconds after which a folder that nobody has locked is one that a killed grader has left."""


@contextlib.contextmanager
def folder_for(size: int) -> Iterator[Path]:
    """A new folder for files of `size` bytes in all.

    It lies in memory where there is room for many of them: hundreds of small files cost a disk more than a child.
    """
    parent = tempfile.gettempdir()
    with contextlib.suppress(OSError, AttributeError):
        room = os.statvfs(MEMORY)
        if os.access(MEMORY, os.W_OK) and room.f_bavail * room.f_frsize > 8 * size + (8 << 20):
            parent = MEMORY
    remove_old(parent)
    folder = Path(os.path.realpath(tempfile.mkdtemp(prefix=PREFIX, dir=parent)))
    try:
        with locked(folder):
            folder.chmod(0o711)
            yield folder
    finally:
        _remove(folder)


@lru_cache
def remove_old(parent: str) -> None:
    """Removes, once a process, this user's folders that a grader left which was killed."""
    with contextlib.suppress(OSError):
        for folder in list(Path(parent).glob(f"{PREFIX}*")):
            with contextlib.suppress(OSError):
                about = folder.lstat()
                if about.st_uid == os.getuid() and time.time() - about.st_mtime > OLD:
                    with locked(folder):
                        _remove(folder)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds a lock on the folder; OSError when another process does. It ends with the process that holds it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        flock(descriptor, LOCK_EX | LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _remove(folder: Path) -> None:
    """Removes `folder`, made unreadable or unwritable or nested as deep as may be."""
    with contextlib.suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():  # neither of these follows links, nor nests its own calls
        for command in (["chmod", "-R", "u+rwx"], ["rm", "-rf"]):
            subprocess.run([*command, "--", str(folder)], check=False, stderr=subprocess.DEVNULL)
