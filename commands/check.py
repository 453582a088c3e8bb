"""The command `handgrad check`: in a handout of the assignment's tasks, elsewhere of layers."""

from __future__ import annotations

import argparse
from typing import Any

from handgrad.assignment import checkup
from handgrad.assignment.assignment import AssignmentError
from handgrad.assignment.importing import is_handout
from handgrad.checking import command
from handgrad.commands.arguments import UsageError


def add(commands: Any) -> None:
    if is_handout():
        p = commands.add_parser("check", help="say of every task whether it is right", allow_abbrev=False)
        checkup.add_arguments(p)
        p.set_defaults(run=_run_checkup)
    else:
        p = commands.add_parser("check", help="check gradients against numeric ones", allow_abbrev=False)
        command.add_arguments(p)
        p.set_defaults(run=command.run)


def _run_checkup(arguments: argparse.Namespace) -> int:
    try:
        return checkup.run(arguments)
    except AssignmentError as error:
        raise UsageError(str(error)) from None
