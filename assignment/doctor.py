"""`handgrad doctor`: whether a student's Python, packages and files are what the assignment needs."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from handgrad.assignment import original
from handgrad.assignment.assignment import NAME, Assignment, AssignmentError, read
from handgrad.assignment.blanks import state_of
from handgrad.assignment.handouts import around, mend
from handgrad.assignment.importing import ROOT, is_handout
from handgrad.params import Array

SHOWN = 5
"""So many files are named."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    """What was found, in a sentence."""
    mend: str = ""
    """What to do about it; "" where all is well."""


def examined(folder: Path) -> Iterator[Finding]:
    """All that is looked at, for a student who works in `folder`. AssignmentError where no handout is concerned."""
    here = around(folder)
    if not is_handout() and here is None:
        raise AssignmentError(f"neither {folder} nor {ROOT}, which is imported as handgrad, is a handout")
    yield from _imported(here)
    assignment = read((ROOT if is_handout() else here or ROOT) / NAME)
    yield from _versions(assignment)
    if is_handout():
        yield from _files(assignment)
    yield _products()


def _imported(here: Path | None) -> Iterator[Finding]:
    """Whether the handout in use is the one in this folder, and the only one that Python finds."""
    if here is not None and here != ROOT:
        yield Finding(f"this folder is the handout {here}, but handgrad is imported from {ROOT}", mend(here))
    else:
        yield Finding(f"the handout in use is {ROOT}")
    others = {
        found.parent
        for entry in sys.path
        if (found := Path(entry or ".", "handgrad", "__init__.py").resolve()).is_file() and found.parent != ROOT
    }
    for other in sorted(others - {here}):
        yield Finding(
            f"another handgrad is installed in {other}, which may be imported instead",
            f"python -m pip uninstall handgrad, until it finds none; then {mend(here or ROOT)}",
        )


def _versions(assignment: Assignment) -> Iterator[Finding]:
    python = platform.python_version()
    if fits(python, assignment.python):
        yield Finding(f"Python {python} fits {assignment.python}")
    else:
        yield Finding(f"Python {python} does not fit {assignment.python}", f"install a Python {assignment.python}")
    for requirement in assignment.packages:
        name, wanted = _split(requirement)
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield Finding(f"{name} is not installed", f'python -m pip install "{requirement}"')
            continue
        if fits(version, wanted):
            yield Finding(f"{name} {version} fits {wanted or 'any version'}")
        else:
            yield Finding(f"{name} {version} does not fit {wanted}", f'python -m pip install "{requirement}"')


def fits(version: str, wanted: str) -> bool:
    """Whether a version such as 2.1.3 meets all of a list such as ">=1.26,<3"; AssignmentError for another list."""
    for condition in filter(None, (part.strip() for part in wanted.split(","))):
        match = re.fullmatch(r"(>=|<=|==|!=|>|<|~=)\s*(\d+(?:\.\d+)*)(\.\*)?", condition)
        if match is None:
            raise AssignmentError(f"{NAME}: expected versions such as '>=1.26,<3', got {wanted!r}")
        sign, number, any_after = match.groups()
        limit = [int(part) for part in number.split(".")]
        have = [int(part) for part in re.findall(r"\d+", re.split(r"[a-z+]", version)[0])]
        length = max(len(have), len(limit))
        padded = [*have, *[0] * (length - len(have))], [*limit, *[0] * (length - len(limit))]
        if any_after:
            padded = have[: len(limit)], limit
        a, b = padded
        holds = {">=": a >= b, "<=": a <= b, "==": a == b, "!=": a != b, ">": a > b, "<": a < b}
        if not holds.get(sign, a >= b and have[: len(limit) - 1] == limit[:-1]):
            return False
    return True


def _split(requirement: str) -> tuple[str, str]:
    """The package's name and the versions that are wanted."""
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    if match is None:
        raise AssignmentError(f"{NAME}: expected a package such as 'numpy>=1.26', got {requirement!r}")
    return match[0], requirement[match.end() :]


def _files(assignment: Assignment) -> Iterator[Finding]:
    """Whether the files that are not the student's are as they were handed out, and the student's are there."""
    try:
        digests = original.read(ROOT).digests
    except original.OriginalError as error:
        yield Finding(str(error), "unpack the handout into a new folder, and copy your own files into it")
        return
    missing = [path for path in digests if not (ROOT / path).is_file()]
    changed = [
        path for path in digests if path not in missing and original.digest((ROOT / path).read_bytes()) != digests[path]
    ]
    for names, word in ((missing, "missing"), (changed, "changed")):
        if names:
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            yield Finding(
                f"{word} since it was handed out: {', '.join(names[:SHOWN])}{more}",
                f"take {'it' if len(names) == 1 else 'them'} from the handout again; your own files are "
                f"{', '.join(assignment.files)}",
            )
    if not missing and not changed:
        yield Finding(f"the {len(digests)} files around your own are as they were handed out")
    for part in assignment.parts:
        state = state_of(part, ROOT)
        if state.unreadable:
            take = f"mend it, or take {part.file} from {original.PATH}, where it is blank"
            yield Finding(state.unreadable, take)


def _products() -> Finding:
    """Whether NumPy's matrix products can be trusted: a broken BLAS gives wrong numbers without a word."""
    rng = np.random.default_rng(0)
    for dtype, tolerance in ((np.float32, 1e-4), (np.float64, 1e-11)):
        for rows, inner, columns in ((1, 3, 2), (17, 65, 33), (128, 200, 64)):
            a: Array = rng.standard_normal((rows, inner)).astype(dtype)
            b: Array = rng.standard_normal((inner, columns)).astype(dtype)
            slowly = np.array([[np.sum(row * column) for column in b.T] for row in a])
            if not np.allclose(a @ b, slowly, rtol=0, atol=tolerance * inner):
                return Finding(
                    f"NumPy's product of [{rows} x {inner}] and [{inner} x {columns}] in {np.dtype(dtype)} is wrong",
                    "python -m pip install --force-reinstall numpy",
                )
    return Finding("NumPy's matrix products are right")
