"""The command `handgrad check`."""

from __future__ import annotations

from typing import Any

from handgrad.checking import command


def add(commands: Any) -> None:
    p = commands.add_parser("check", help="check gradients against numeric ones", allow_abbrev=False)
    command.add_arguments(p)
    p.set_defaults(run=command.run)
