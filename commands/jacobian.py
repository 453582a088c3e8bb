"""The command `handgrad jacobian`."""

from __future__ import annotations

import argparse
from typing import Any

from handgrad.commands.arguments import arranged, usable
from handgrad.jacobians import command

__all__ = ["add", "arranged", "run"]


def add(commands: Any) -> None:
    p = commands.add_parser("jacobian", help="show the full Jacobian of a tiny case", allow_abbrev=False)
    command.add_arguments(p)
    p.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    return usable(command.run, arguments)
