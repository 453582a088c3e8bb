"""The command `handgrad handout`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import handgrad
from handgrad.commands.arguments import UsageError, usable
from handgrad.course.handout import check, make


def add(commands: Any) -> None:
    p = commands.add_parser("handout", help="make the students' handout of this source", allow_abbrev=False)
    p.description = (
        "Writes a tree of the same layout with blanks instead of the marked solutions, and proves that it can be "
        "imported, gives no solution away, scores 0, and 100 with the solutions put back."
    )
    p.add_argument("folder", metavar="DIR", help="where the handout goes, a new folder")
    p.add_argument("--source", metavar="TREE", help="the marked source tree (this one)")
    p.add_argument("--check", action="store_true", help="write nothing; exit code 1 if DIR is out of date")
    p.add_argument("--overwrite", action="store_true", help="replace an earlier handout in DIR")
    p.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Returns 0; 1 for a kept handout that is out of date."""
    for name in ("folder", "source"):
        if getattr(arguments, name) == "":
            raise UsageError(f"{'DIR' if name == 'folder' else '--source'} is empty")
    if arguments.check and arguments.overwrite:
        raise UsageError("--check writes nothing, --overwrite does; give one of them")
    source, folder = Path(arguments.source or handgrad.__file__), Path(arguments.folder)
    source = source if arguments.source else source.parent
    if arguments.check:
        differences = usable(check, source, folder)
        print("\n".join(differences) or f"{folder} is up to date")
        return 1 if differences else 0
    for line in usable(make, source, folder, arguments.overwrite):
        print(line)
    return 0
