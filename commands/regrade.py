"""The command `handgrad regrade`."""

from __future__ import annotations

from typing import Any

from handgrad.commands import grade


def add(commands: Any) -> None:
    p = commands.add_parser("regrade", help="grade a part anew and keep the rest", allow_abbrev=False)
    p.description = (
        "Grades one part of every submission anew, after its probes or its solution were mended, and keeps what is "
        "known of the others. A submission of which nothing is known is graded whole."
    )
    p.add_argument("--part", metavar="NAME", action="append", required=True, help="such as fc; may be given repeatedly")
    grade.add_arguments(p)
    p.set_defaults(run=grade.run)
