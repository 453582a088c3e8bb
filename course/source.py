"""The files of a source tree."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from handgrad.assignment.tables import AssignmentError

NEEDED = ("course/assignment.toml", "setup.cfg", "__init__.py")
IGNORES_ALL = "*\n"
"""The .gitignore of a folder of results, which holds the course's secret."""

CACHES = {"__pycache__", "build", "dist", "runs", "venv"}


def source_files(source: Path) -> dict[str, bytes]:
    """Path -> content of every file: those that git tracks if the tree is a checkout, else all but caches and results.

    AssignmentError where the folder is no source tree of an assignment.
    """
    for name in NEEDED:
        if not (source / name).is_file():
            raise AssignmentError(f"{source}: expected a source tree of handgrad with a file {name}, there is none")
    names = _tracked(source) if (source / ".git").exists() else None
    if names is None:
        names = _present(source)
    return {name: (source / name).read_bytes() for name in names if (source / name).is_file()}


def _tracked(source: Path) -> list[str] | None:
    """What git tracks, sorted; None where there is no git."""
    try:
        result = subprocess.run(["git", "-C", str(source), "ls-files", "-z"], capture_output=True, check=False)
    except OSError:
        return None
    names = [name for name in result.stdout.decode("utf-8", "surrogateescape").split("\0") if name]
    return sorted(names) if result.returncode == 0 else None


def _present(source: Path) -> list[str]:
    """What lies there, sorted; caches, which may be large, and results are not entered."""
    names: list[str] = []
    for parent, folders, files in os.walk(source):
        folders[:] = [name for name in folders if not is_cache(name) and not _has_results(Path(parent, name))]
        names += [Path(parent, name).relative_to(source).as_posix() for name in files if not is_cache(name)]
    return sorted(names)


def _has_results(folder: Path) -> bool:
    """Whether it is a folder of results, which asks git to ignore all of it."""
    ignores = folder / ".gitignore"
    return ignores.is_file() and ignores.read_bytes() == IGNORES_ALL.encode()


def is_cache(name: str) -> bool:
    """Whether a file or folder of that name is made by tools, or hidden."""
    is_hidden = name.startswith(".") and name != ".gitignore"
    return is_hidden or name in CACHES or name.endswith((".egg-info", ".pyc"))
