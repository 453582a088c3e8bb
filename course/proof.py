"""The proof that a handout holds."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import scipy

from handgrad.assignment.tables import AssignmentError
from handgrad.course.leaks import leaks
from handgrad.course.regions import Region
from handgrad.course.scoring import ScoringError, scores

ALLOWED = ("handgrad", "numpy", "scipy", "tomli")
SHOWN = 5

IMPORT_ALL = """
import importlib, importlib.abc, pkgutil, sys
allowed, paths = sys.argv[1].split(","), sys.argv[2:]

class Only(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if not top.startswith("_") and top not in (*allowed, *sys.stdlib_module_names):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Only())
sys.path += paths
count = 0
try:
    import handgrad
    for module in pkgutil.walk_packages(handgrad.__path__, "handgrad."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
            count += 1
except BaseException as error:
    sys.exit(f"{type(error).__name__}: {error}")
print(count)
"""


class HandoutError(AssignmentError):
    """The handout does not hold; the message says what is wrong."""


def proof(source: Path, files: Mapping[str, bytes], regions: Sequence[Region]) -> Iterator[str]:
    """A line for each thing that is proved of the handout's files. HandoutError for the first that does not hold."""
    yield f"all {_imported(files)} modules can be imported with only numpy and scipy"
    given_away = leaks(files, regions)
    if given_away:
        more = f"; and {len(given_away) - SHOWN} more" if len(given_away) > SHOWN else ""
        raise HandoutError("; ".join(given_away[:SHOWN]) + more)
    yield f"none of the {len(regions)} solutions is given away"
    yield _scored(source)


def _imported(files: Mapping[str, bytes]) -> int:
    """How many modules a fresh Python has imported, which finds nothing but the handout, NumPy and SciPy."""
    with tempfile.TemporaryDirectory() as folder:
        write(files, Path(folder, "handgrad"))
        packages = {str(Path(str(module.__file__)).parent.parent) for module in (np, scipy)}
        command = [sys.executable, "-I", "-S", "-B", "-c", IMPORT_ALL, ",".join(ALLOWED), folder, *sorted(packages)]
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        result = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, check=False)
        if result.returncode:
            raise HandoutError(f"the handout cannot be imported: {result.stderr.strip().splitlines()[-1]}")
        return int(result.stdout)


def _scored(source: Path) -> str:
    try:
        blank, solved, points = scores(source)
    except ScoringError as error:
        raise HandoutError(f"the handout cannot be graded: {error}") from None
    if blank or solved != points:
        raise HandoutError(
            f"expected 0 points for the handout as it is and {points} for the solutions, got {blank:g} and {solved:g}"
        )
    return f"as it is it scores 0, with the solutions put back {solved:g} of {points}"


def write(files: Mapping[str, bytes], folder: Path) -> None:
    """Writes the files into a new folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
