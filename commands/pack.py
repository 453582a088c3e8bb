"""The command `handgrad pack`."""

from __future__ import annotations

import argparse
from typing import Any

from handgrad.assignment.assignment import AssignmentError
from handgrad.assignment.handouts import in_use
from handgrad.assignment.pack import DEFAULT, pack
from handgrad.commands.arguments import UsageError


def add(commands: Any) -> None:
    p = commands.add_parser("pack", help="put your files into one archive, to hand in", allow_abbrev=False)
    p.description = "Writes your files of a handout into a zip archive, and says what is unfinished in them."
    p.add_argument("--out", metavar="FILE", default=DEFAULT, help=f"the archive's name ({DEFAULT})")
    p.add_argument("--overwrite", action="store_true", help="replace an archive of that name")
    p.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    try:
        assignment, root = in_use()
        unfinished = pack(assignment, root, arguments.out, overwrite=arguments.overwrite)
    except AssignmentError as error:
        raise UsageError(str(error)) from None
    for line in unfinished:
        print(line)
    there = [path for path in assignment.files if (root / path).is_file()]
    print(f"written to {arguments.out}: {', '.join(there)}, of {root}")
    return 0
