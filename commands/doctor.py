"""The command `handgrad doctor`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from handgrad.assignment.assignment import AssignmentError
from handgrad.assignment.doctor import examined
from handgrad.commands.arguments import UsageError


def add(commands: Any) -> None:
    p = commands.add_parser("doctor", help="say what is wrong with the installation", allow_abbrev=False)
    p.description = "Looks at Python, the packages and the files of a handout, and says how to mend what does not fit."
    p.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Returns 0; 1 where something is to be mended."""
    is_well = True
    try:
        for finding in examined(Path.cwd()):
            print(f"{'wrong' if finding.mend else 'ok':<5}  {finding.what}")
            if finding.mend:
                print(f"       to mend it: {finding.mend}")
                is_well = False
    except AssignmentError as error:
        raise UsageError(str(error)) from None
    return 0 if is_well else 1
