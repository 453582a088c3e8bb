"""What a grading run leaves: a table of all submissions, and a page for each student."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from handgrad.assignment.assignment import Assignment
from handgrad.files import PathLike, written
from handgrad.grading.result import PartResult, Result, TaskResult

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; border-bottom: 1px solid #ccc; }
table { border-collapse: collapse; } td, th { padding: .2rem .8rem .2rem 0; text-align: left; }
td.points, th.points { text-align: right; }
.right { color: #176f2c; } .wrong { color: #b3261e; } li, pre, td { overflow-wrap: anywhere; }
pre { background: #f5f5f5; padding: .6rem; white-space: pre-wrap; } .note { color: #666; }
"""


@dataclass(frozen=True)
class Graded:
    """A submission and what came of it; `error` says why it could not be read."""

    name: str
    result: Result | None
    notes: Sequence[str] = ()
    error: str = ""


def write_csv(path: PathLike, graded: Iterable[Graded], assignment: Assignment) -> None:
    """One row a submission, one column a part, then the total and what to look at."""
    parts = [part.name for part in assignment.parts]
    with written(path, "w", encoding="utf-8", errors="replace", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["submission", *parts, "total", "flags"])
        for one in graded:
            points = {part.name: part.points for part in one.result.parts} if one.result else {}
            total = one.result.points if one.result else 0
            cells = [_number(points.get(part, 0)) for part in parts]
            writer.writerow([_cell(one.name), *cells, _number(total), _cell("; ".join(_flags(one)))])


def write_pages(folder: Path, graded: Sequence[Graded], assignment: Assignment) -> None:
    """One page a submission in `folder`, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    taken: set[str] = set()
    for one in graded:
        with written(folder / _file_name(one.name, taken), "w", encoding="utf-8", errors="replace") as file:
            file.write(page(one, assignment))


def page(one: Graded, assignment: Assignment) -> str:
    """The student's page: HTML with nothing outside it. All that comes from the student is escaped."""
    body = [f"<h1>{escape(assignment.title)}: {escape(one.name)}</h1>"]
    if one.result is None:
        body.append(f"<p class=wrong>Not graded: {escape(one.error)}</p>")
    else:
        result = one.result
        body.append(f"<p><strong>{_number(result.points)} of {result.out_of} points</strong></p>")
        body.append("<table><tr><th>part<th>file<th class=points>points<th class=points>of")
        body += [
            f"<tr><td>{escape(part.title)}<td><code>{escape(part.file)}</code>"
            f"<td class=points>{_number(part.points)}<td class=points>{part.out_of}"
            for part in result.parts
        ]
        body.append("</table>")
        for part in result.parts:
            body += _part(part)
    body += _list("Files that were left out", one.notes)
    if one.result is not None:
        body += _list("To be looked at by the staff", one.result.flags)
        body += _list("Locks of the sandbox that were missing when this was graded", one.result.locks)
    head = f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(one.name)}</title><style>{STYLE}</style>"
    return head + "\n".join(body) + "\n</html>\n"


def _part(part: PartResult) -> list[str]:
    lines = [f"<h2>{escape(part.title)}: {_number(part.points)} of {part.out_of}</h2>"]
    for task in part.tasks:
        lines += _task(task)
    if part.log:
        lines.append(f"<p class=note>What the code printed:</p><pre>{escape(part.log)}</pre>")
    return lines


def _task(task: TaskResult) -> list[str]:
    is_right = task.points == task.out_of
    checks = ", ".join(f"{check} {'right' if right else 'wrong'}" for check, right in task.checks.items())
    line = f"<p><code>{escape(task.name)}</code> <span class={'right' if is_right else 'wrong'}>"
    line += f"{_number(task.points)} of {task.out_of}</span>" + (f" <span class=note>{checks}</span>" if checks else "")
    sentences = [f"<li>{escape(sentence)}" for sentence in task.sentences]
    notes = [f"<p class=note>{escape(note)}</p>" for note in task.notes]
    return [line + "</p>", *(["<ul>", *sentences, "</ul>"] if sentences else []), *notes]


def _list(title: str, lines: Sequence[str]) -> list[str]:
    return [f"<h2>{title}</h2><ul>", *(f"<li>{escape(line)}" for line in lines), "</ul>"] if lines else []


def _flags(one: Graded) -> list[str]:
    if one.result is None:
        return [f"not graded: {one.error}"]
    locks = [f"missing lock: {lock}" for lock in one.result.locks]
    return [*one.result.flags, *one.notes, *locks]


def _number(points: float) -> str:
    return f"{points:.2f}".rstrip("0").rstrip(".")


def _cell(text: str) -> str:
    """The text so that no spreadsheet takes it for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _file_name(name: str, taken: set[str]) -> str:
    """A name of letters, digits, dots and dashes, different for each student."""
    base = re.sub(r"[^A-Za-z0-9._-]+", "_", name)[:100].lstrip(".") or "student"
    number, chosen = 1, f"{base}.html"
    while chosen.lower() in taken:
        number += 1
        chosen = f"{base}-{number}.html"
    taken.add(chosen.lower())
    return chosen
