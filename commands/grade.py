"""The command `handgrad grade`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import handgrad
from handgrad.commands.arguments import UsageError, check_writable, usable, whole_from
from handgrad.course.handout import assignment_of, skeleton, solved
from handgrad.course.source import IGNORES_ALL
from handgrad.extras import have, need
from handgrad.files import written
from handgrad.grading import canvas
from handgrad.grading.classroom import Classroom, left_out, submissions_in
from handgrad.grading.grade import Grader
from handgrad.grading.report import Graded, write_csv, write_pages
from handgrad.grading.sandbox import SandboxError
from handgrad.grading.source import run_from
from handgrad.grading.store import Store, assignment_id, read_secret

RESULTS = "grades"
MOST_BESIDE = 5
"""Files beside the submissions that are named."""


def add(commands: Any) -> None:
    p = commands.add_parser("grade", help="grade what students hand in", allow_abbrev=False)
    p.description = (
        "Grades every zip and folder in SUBMISSIONS, each part by itself, in locked processes. May be interrupted and "
        "run again: nothing is graded twice."
    )
    add_arguments(p)
    p.set_defaults(run=run, part=[])


def add_arguments(p: argparse.ArgumentParser) -> None:
    """What `grade` and `regrade` take."""
    p.add_argument("submissions", metavar="SUBMISSIONS", help="a folder of zips and folders, one a student; or a zip")
    p.add_argument("-j", "--jobs", type=whole_from(1), default=1, metavar="N", help="submissions at a time (1)")
    p.add_argument("--secret", metavar="TEXT", help="the course's secret or a file with it (one kept in --results)")
    p.add_argument("--results", metavar="DIR", default=RESULTS, help=f"folder that keeps the results ({RESULTS})")
    p.add_argument("--csv", metavar="FILE", help="write a table: a row a submission, a column a part, total, flags")
    p.add_argument("--report", metavar="DIR", help="write a page for each student")
    p.add_argument("--canvas", metavar="EXPORT", help="a Canvas gradebook; write EXPORT-graded.csv with the points")
    p.add_argument("--canvas-assignment", metavar="NAME", help="its column: title or number (the assignment's title)")
    p.add_argument("--strict", action="store_true", help="refuse to grade where the sandbox lacks a lock")
    p.add_argument("--source", metavar="TREE", help="the marked source tree (this one)")


def run(arguments: argparse.Namespace) -> int:
    """Returns 0 when every submission was graded, 1 when one could not be read."""
    for name in ("submissions", "secret", "results", "csv", "report", "canvas", "canvas_assignment", "source"):
        if getattr(arguments, name) == "":
            option = "SUBMISSIONS" if name == "submissions" else "--" + name.replace("_", "-")
            raise UsageError(f"{option} is empty")
    if arguments.canvas_assignment and not arguments.canvas:
        raise UsageError("--canvas-assignment goes with --canvas EXPORT")
    own = Path(handgrad.__file__).resolve().parent
    if arguments.source and Path(arguments.source).resolve() != own:
        return usable(run_from, Path(arguments.source))
    paths = usable(submissions_in, Path(arguments.submissions))
    results = Path(arguments.results)
    if results.exists() and not results.is_dir():
        raise UsageError(f"--results {results}: expected a folder, it is a file")
    check_writable("--csv", arguments.csv)
    if arguments.report and not Path(arguments.report).absolute().parent.is_dir():
        raise UsageError(f"--report {arguments.report}: there is no folder {Path(arguments.report).parent}")
    if arguments.report and Path(arguments.report).is_file():
        raise UsageError(f"--report {arguments.report}: expected a folder, it is a file")
    assignment = usable(assignment_of, own)
    unknown = [name for name in arguments.part if name not in [part.name for part in assignment.parts]]
    if unknown:
        known = ", ".join(part.name for part in assignment.parts)
        raise UsageError(f"--part: expected one of {known}, got {unknown[0]!r}")
    gradebook = usable(canvas.read, Path(arguments.canvas)) if arguments.canvas else None
    column = arguments.canvas_assignment or assignment.title
    if gradebook is not None:  # told before anything is graded
        try:
            canvas.filled(gradebook, {}, assignment.points, column)
        except canvas.GradebookError as error:
            raise UsageError(f"{arguments.canvas}: {error}") from None
    if not results.exists():
        results.mkdir(parents=True)
        (results / ".gitignore").write_text(IGNORES_ALL)
    secret = usable(read_secret, arguments.secret, results)
    files = usable(skeleton, own)
    grader = Grader(files, assignment, secret)
    try:
        missing = grader.missing_locks()
        if missing and arguments.strict:
            raise UsageError(f"--strict: this system's sandbox lacks {', '.join(missing)}; nothing was graded")
        if missing:
            print(f"handgrad: this system's sandbox lacks {', '.join(missing)}", file=sys.stderr)
        store = Store(results, assignment_id(files, solved(own)), secret)
        beside = left_out(Path(arguments.submissions))
        if beside:
            more = f" and {len(beside) - MOST_BESIDE} more" if len(beside) > MOST_BESIDE else ""
            told = ", ".join(beside[:MOST_BESIDE])
            print(f"handgrad: left out, being neither zips nor folders: {told}{more}", file=sys.stderr)
        graded = _graded(Classroom(grader, store, arguments.part), paths, arguments.jobs)
    except SandboxError as error:
        raise UsageError(str(error)) from None
    if arguments.csv:
        write_csv(arguments.csv, graded, assignment)
    if arguments.report:
        write_pages(Path(arguments.report), graded, assignment)
    if gradebook is not None:
        points = {one.name: one.result.points for one in graded if one.result}
        _write_gradebook(Path(arguments.canvas), canvas.filled(gradebook, points, assignment.points, column))
    return int(any(one.result is None for one in graded))


def _graded(classroom: Classroom, paths: Sequence[Path], jobs: int) -> list[Graded]:
    """Everyone's results, each told as it comes; below a bar on a terminal where tqdm is installed."""
    shows_bar = sys.stderr is not None and sys.stderr.isatty() and have("tqdm")
    bar = need("tqdm", "progress").tqdm(total=len(paths), unit="submission", leave=False) if shows_bar else None

    def done(one: Graded) -> None:
        if bar is not None:
            bar.update()
            bar.write(_line(one), file=sys.stdout)
        else:
            print(_line(one), flush=True)

    try:
        return classroom.grade(paths, jobs, done)
    finally:
        if bar is not None:
            bar.close()


def _write_gradebook(export: Path, filled: canvas.Filled) -> None:
    """Writes the gradebook beside the export, which stays as it is, and says what did not go as expected."""
    path = export.with_name(f"{export.stem}-graded.csv")
    with written(path, "w", encoding="utf-8-sig", newline="") as file:
        file.write(filled.text)
    for note in filled.notes:
        print(f"handgrad: {note}", file=sys.stderr)
    print(f"{path}: {filled.students} {'student has' if filled.students == 1 else 'students have'} points")


def _line(one: Graded) -> str:
    name = one.name if one.name.isprintable() else ascii(one.name)
    if one.result is None:
        return f"{name}: not graded: {one.error}"
    parts = ", ".join(f"{part.name} {part.points:g}/{part.out_of}" for part in one.result.parts)
    flags = len(one.result.flags)
    review = f"; {flags} line{'s' * (flags != 1)} to look at" if flags else ""
    return f"{name}: {one.result.points:g} of {one.result.out_of} ({parts}){review}"
