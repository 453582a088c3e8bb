"""The command `handgrad trace`."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from handgrad.commands.arguments import LOSSES, arranged, usable
from handgrad.tracing import command

__all__ = ["add", "arranged", "run"]


def add(commands: Any) -> None:
    p = commands.add_parser("trace", help="show one pass of a small net in three views", allow_abbrev=False)
    command.add_arguments(p, LOSSES)
    p.set_defaults(run=run, only_prints=True)


def run(arguments: argparse.Namespace) -> int:
    with np.errstate(all="ignore"):  # infinities are shown
        return usable(command.run, arguments, LOSSES)
