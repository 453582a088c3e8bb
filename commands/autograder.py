"""The command `handgrad autograder`."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import handgrad
from handgrad.commands.arguments import UsageError, usable
from handgrad.files import written
from handgrad.grading.platforms import actions, autolab, gradescope, prairielearn
from handgrad.grading.platforms.package import Settings, mode, zipped
from handgrad.grading.store import read_secret

PLATFORMS = ("gradescope", "prairielearn", "autolab", "actions")

NEXT = {
    "gradescope": "Upload {out} as the assignment's autograder, with Ubuntu 22.04 or later as the base image.",
    "prairielearn": "Copy what {out} holds into the course's repository; build image/ as handgrad-grader.",
    "autolab": "Upload autograde.tar and autograde-Makefile of {out}; the hand-in is submission.zip, a part a problem.",
    "actions": "Copy what {out} holds into the handout before students get it. It gives no grades.",
}


def add(commands: Any) -> None:
    p = commands.add_parser("autograder", help="write what a platform needs to grade", allow_abbrev=False)
    p.description = (
        "Writes the grader as a platform takes it. It holds the solutions and the secret: keep it where students "
        "cannot read it. That for GitHub Actions holds neither."
    )
    p.add_argument("--for", dest="platform", metavar="PLATFORM", required=True, help=", ".join(PLATFORMS))
    p.add_argument("--out", metavar="PATH", help="the file (gradescope: autograder.zip) or folder to write")
    p.add_argument("--source", metavar="TREE", help="the marked source tree (this one)")
    p.add_argument(
        "--secret", metavar="TEXT", help="the course's secret or a file with it, as for handgrad grade (a new one)"
    )
    p.add_argument("--overwrite", action="store_true", help="write over what lies in --out")
    p.add_argument("--strict", action="store_true", help="give no score where the system lacks a lock of the sandbox")
    p.add_argument(
        "--deadline-visibility",
        metavar="WHEN",
        help="when Gradescope shows results and total: visible, after_due_date, after_published (visible)",
    )
    p.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    platform = _checked(arguments)
    source = Path(arguments.source) if arguments.source else Path(handgrad.__file__).parent
    out = Path(arguments.out or ("autograder.zip" if platform == "gradescope" else platform))
    settings = _settings(arguments)
    if not arguments.overwrite:
        _must_be_free(out)
    if platform == "gradescope":
        files = usable(gradescope.package, source, settings)
        with written(out) as file:
            file.write(zipped(files))
    else:
        if platform == "actions":
            files = usable(actions.package, source)
        else:
            package = prairielearn.package if platform == "prairielearn" else autolab.package
            files = usable(package, source, settings)
        _write(files, out)
    print(f"{out} written. {NEXT[platform].format(out=out)}")
    return 0


def _checked(arguments: argparse.Namespace) -> str:
    """The platform. UsageError for it, or for options that it has no use for."""
    platform = str(arguments.platform)
    if platform not in PLATFORMS:
        raise UsageError(f"--for must be one of {', '.join(PLATFORMS)}, got {platform!r}")
    for name in ("out", "source", "secret"):
        if getattr(arguments, name) == "":
            raise UsageError(f"--{name} is empty")
    visibility = arguments.deadline_visibility
    if visibility is not None and platform != "gradescope":
        raise UsageError(f"--deadline-visibility is for gradescope only, {platform} has no such thing")
    if visibility == "hidden":
        raise UsageError("--deadline-visibility hidden hides a student's total for ever; after_published does not")
    if visibility not in (None, *gradescope.VISIBILITIES):
        raise UsageError(
            f"--deadline-visibility must be one of {', '.join(gradescope.VISIBILITIES)}, got {visibility!r}"
        )
    if platform == "actions" and (arguments.secret is not None or arguments.strict):
        option = "--strict" if arguments.secret is None else "--secret"
        raise UsageError(f"{option} does not go with actions: students can read and change all that runs there")
    return platform


def _settings(arguments: argparse.Namespace) -> Settings:
    secret = secrets.token_bytes(32) if arguments.secret is None else usable(read_secret, arguments.secret, Path())
    return Settings(secret.hex(), arguments.deadline_visibility or gradescope.VISIBILITIES[0], arguments.strict)


def _must_be_free(out: Path) -> None:
    """UsageError if something would be written over, or beside it."""
    if out.is_dir() and any(out.iterdir()):
        raise UsageError(f"{out}: expected a new or empty folder; add --overwrite to write into this one")
    if out.is_file():
        raise UsageError(f"{out} is there already; add --overwrite to replace it")


def _write(files: Mapping[str, bytes], folder: Path) -> None:
    """Writes the files below `folder`, where others may lie."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: expected a folder, it is a file")
    if not folder.resolve().parent.is_dir():
        raise UsageError(f"{folder}: there is no folder {folder.resolve().parent}")
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with written(path) as file:
            file.write(content)
        path.chmod(mode(name, content))
