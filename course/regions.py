"""The solution regions of a source file: found by Python's tokenizer and syntax tree, exchanged or blanked.

A region holds whole statements of one block of a function; or definitions only, and then it may stand anywhere.

    # BEGIN SOLUTION fc.backward points=10 hint="dW has W's shape"       ours, with END SOLUTION
    ### BEGIN SOLUTION                                                  nbgrader's and otter's, with END SOLUTION
    y = x @ W.T  # SOLUTION                                             otter's, of one statement

A region without a name gets one of its file and its function, `fc.backward`, and no points.
"""

from __future__ import annotations

import ast
import itertools
import re
import textwrap
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import PurePosixPath

from handgrad.assignment.assignment import Task
from handgrad.course.markers import BEGIN, END, SUFFIX, Marker, MarkerError, lines_of, markers_of, tokens_of, wrong

__all__ = ["MarkerError", "Region", "blanked", "regions_of", "replaced"]

DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
WIDTH = 120


@dataclass(frozen=True)
class Region:
    """One solution. `first` and `last` are the lines it takes up, from 1 on and with its markers."""

    name: str
    points: int
    hint: str
    path: str
    first: int
    last: int
    indent: str
    code: str
    """Its statements without the indent."""
    is_named: bool = True
    """Whether the marker says name and points; other courses' do not."""
    is_definitions: bool = False
    fills_block: bool = False
    """Whether its block holds nothing else."""


@dataclass(frozen=True)
class _Block:
    """A block of statements, and the names of the functions and classes around it."""

    statements: Sequence[ast.stmt]
    around: tuple[ast.AST, ...]


def regions_of(text: str, path: str) -> list[Region]:
    """The regions of a Python file, from first to last. MarkerError names file, line and what was expected."""
    return list(_regions_of(text, path))


@lru_cache(maxsize=1024)
def _regions_of(text: str, path: str) -> Sequence[Region]:
    markers = markers_of(text, path)
    if not markers:
        return []
    blocks = list(_blocks(_parsed(text, path), ()))
    lines = lines_of(text)
    found = [_between(begin, end, blocks, lines, path) for begin, end in _pairs(markers, path)]
    found += _suffixed([marker for marker in markers if marker.kind == SUFFIX], blocks, lines, path)
    found.sort(key=lambda region: region.first)
    for region, following in itertools.pairwise(found):
        if following.first <= region.last:
            wrong(path, following.first, f"expected the end of {region.name} before another solution begins")
    return _uniquely_named(found, path)


def replaced(text: str, path: str, code: Mapping[str, str]) -> str:
    """The file with other code, without indent, in the regions that `code` names, and without any marker."""
    regions = regions_of(text, path)
    unknown = code.keys() - {region.name for region in regions}
    if unknown:
        raise MarkerError(f"{path}: there is no solution {', '.join(sorted(unknown))}")
    return _exchanged(text, {region: code.get(region.name, region.code) for region in regions})


def blanked(text: str, path: str, tasks: Mapping[str, Task] | None = None) -> str:
    """The file as students get it: a task's name, points and hint, and an error, instead of each solution.

    `tasks` say what markers do not. Definitions alone leave nothing behind.
    """
    blanks = {}
    for region in regions_of(text, path):
        task = (tasks or {}).get(region.name, Task(region.name, region.points, region.hint))
        blanks[region] = (
            ("pass\n" if region.fills_block else "") if region.is_definitions else _blank(task, region.indent)
        )
    return _exchanged(text, blanks)


def _blank(task: Task, indent: str) -> str:
    points = f", {task.points} point{'s' * (task.points != 1)}" if task.points else ""
    words = f"TODO {task.name}{points}" + (f": {task.hint}" if task.hint else "")
    lines = textwrap.wrap(words, WIDTH - len(indent.expandtabs(4)) - 2, break_long_words=False)
    return "".join(f"# {line}\n" for line in lines) + f'raise NotImplementedError("{task.name}")\n'


def _exchanged(text: str, code: Mapping[Region, str]) -> str:
    lines = lines_of(text)
    newline = next((re.sub(r"[^\r\n]", "", line) for line in lines if line.endswith(("\r", "\n"))), "\n")
    for region in sorted(code, key=lambda region: region.first, reverse=True):
        new = lines_of(_shifted(code[region], "", region.indent, region.path))
        new = [line.rstrip("\r\n") + newline for line in new]
        last = region.last
        if not new:  # the blank lines around it become those before it
            while (
                last < len(lines)
                and not lines[last].strip()
                and (region.first == 1 or not lines[region.first - 2].strip())
            ):
                last += 1
        lines[region.first - 1 : last] = new
    return "".join(lines)


def _parsed(text: str, path: str) -> ast.Module:
    try:
        return ast.parse(text)
    except SyntaxError as error:
        raise MarkerError(f"{path}:{error.lineno}: cannot be read as Python: {error.msg}") from None
    except ValueError as error:
        raise MarkerError(f"{path}: cannot be read as Python: {error}") from None


def _pairs(markers: Sequence[Marker], path: str) -> Iterator[tuple[Marker, Marker]]:
    begin: Marker | None = None
    for marker in markers:
        if marker.kind == BEGIN:
            if begin is not None:
                wrong(path, marker.line, f"expected # {END} for line {begin.line} before another {BEGIN}")
            begin = marker
        elif marker.kind == END:
            if begin is None:
                wrong(path, marker.line, f"expected # {BEGIN} before this # {END}, there is none")
            yield begin, marker
            begin = None
    if begin is not None:
        wrong(path, begin.line, f"expected # {END} after this # {BEGIN} {begin.name}".rstrip() + ", there is none")


def _blocks(node: ast.AST, around: tuple[ast.AST, ...]) -> Iterator[_Block]:
    """Every list of statements under a node, the outer ones first."""
    inner = (*around, node)
    for _, value in ast.iter_fields(node):
        if not isinstance(value, list) or not value:
            continue
        if isinstance(value[0], ast.stmt):
            yield _Block(value, inner)
        for part in value:
            if isinstance(part, ast.stmt | ast.ExceptHandler | ast.match_case):
                yield from _blocks(part, inner)


def _first_line(statement: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(decorator.lineno for decorator in decorators)])


def _last_line(statement: ast.stmt) -> int:
    assert statement.end_lineno is not None
    return statement.end_lineno


def _between(begin: Marker, end: Marker, blocks: Sequence[_Block], lines: Sequence[str], path: str) -> Region:
    """The region between two markers: every line of it belongs to statements of one block."""
    what = f"{BEGIN} {begin.name}".rstrip()
    for block in blocks:
        inside = [s for s in block.statements if begin.line < _first_line(s) and _last_line(s) < end.line]
        cut = [s for s in block.statements if _is_simple(s) and any(_covers(s, m.line) for m in (begin, end))]
        if cut:
            wrong(path, begin.line, f"{what}: expected whole statements, but that of line {cut[0].lineno} is cut")
        if not inside:
            continue
        covered = {line for s in inside for line in range(_first_line(s), _last_line(s) + 1)}
        for number in range(begin.line + 1, end.line):
            text = lines[number - 1].strip()
            if number not in covered and text and not text.startswith("#"):
                wrong(path, number, f"{what}: expected statements of one block, got {text!r}")
        code = "".join(lines[begin.line : end.line - 1])
        return _region(begin, end.line, block, inside, code, lines, path)
    wrong(path, begin.line, f"{what}: expected whole statements between it and line {end.line}, there are none")


def _is_simple(statement: ast.stmt) -> bool:
    return not hasattr(statement, "body") and not isinstance(statement, ast.Match)


def _covers(statement: ast.stmt, line: int) -> bool:
    return _first_line(statement) <= line <= _last_line(statement)


def _suffixed(markers: Sequence[Marker], blocks: Sequence[_Block], lines: Sequence[str], path: str) -> list[Region]:
    """The regions of statements that are marked at their end; neighbours make one region."""
    found: list[Region] = []
    runs: list[tuple[_Block, list[ast.stmt], list[Marker]]] = []
    for marker in markers:
        block, marked = _simple_statements_at(marker.line, blocks)
        if block is None:
            wrong(path, marker.line, f"expected # {SUFFIX} at the end of a simple statement")
        if runs and runs[-1][0] is block and _follows(block, runs[-1][1][-1], marked[0]):
            runs[-1][1].extend(s for s in marked if s not in runs[-1][1])
            runs[-1][2].append(marker)
        else:
            runs.append((block, marked, [marker]))
    for block, marked, at in runs:
        rows = [lines[line - 1] for line in range(_first_line(marked[0]), _last_line(marked[-1]) + 1)]
        for marker in at:
            i = marker.line - _first_line(marked[0])
            ending = rows[i][len(rows[i].rstrip("\r\n")) :]
            rows[i] = rows[i][: marker.column].rstrip() + ending
        begin = replace(at[0], line=_first_line(marked[0]))
        found.append(_region(begin, _last_line(marked[-1]), block, marked, "".join(rows), lines, path))
    return found


def _simple_statements_at(line: int, blocks: Sequence[_Block]) -> tuple[_Block | None, list[ast.stmt]]:
    for block in blocks:
        at = [s for s in block.statements if _is_simple(s) and _covers(s, line)]
        if at:
            return block, at
    return None, []


def _follows(block: _Block, statement: ast.stmt, following: ast.stmt) -> bool:
    return block.statements.index(following) - block.statements.index(statement) in (0, 1)


def _region(
    begin: Marker,
    last: int,
    block: _Block,
    statements: Sequence[ast.stmt],
    code: str,
    lines: Sequence[str],
    path: str,
) -> Region:
    statement = statements[0]
    line = lines[statement.lineno - 1]
    indent = line[: len(line) - len(line.lstrip())]
    name = begin.name or _name_of(block, path)
    if len(indent.encode()) != statement.col_offset or any(
        _first_line(s) <= _last_line(other) and _first_line(other) <= _last_line(s)
        for s in statements
        for other in block.statements
        if other not in statements
    ):
        wrong(path, statement.lineno, f"{name}: expected the solution on lines of its own, got {line.strip()!r}")
    is_definitions = all(isinstance(s, DEFINITIONS) for s in statements)
    if not is_definitions and not any(isinstance(node, FUNCTIONS) for node in block.around):
        wrong(path, begin.line, f"{name}: expected statements of a function, or definitions only")
    return Region(
        name,
        begin.points or 0,
        begin.hint,
        path,
        begin.line,
        last,
        indent,
        _shifted(code, indent, "", path),
        bool(begin.name),
        is_definitions,
        len(statements) == len(block.statements),
    )


def _name_of(block: _Block, path: str) -> str:
    """`fc.backward` of layers/fc.py and the innermost function around the block."""
    functions = [node.name for node in block.around if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    part = re.sub(r"\W", "_", PurePosixPath(path).stem.lower())
    return f"{part}.{functions[-1].strip('_').lower() or 'function' if functions else 'definitions'}"


def _uniquely_named(regions: Sequence[Region], path: str) -> list[Region]:
    taken = {region.name: region.first for region in reversed(regions) if region.is_named}
    found: list[Region] = []
    for region in regions:
        if region.is_named and taken[region.name] != region.first:
            wrong(path, region.first, f"{region.name}: the name is taken already, in line {taken[region.name]}")
        name, number = region.name, 1
        while not region.is_named and name in taken:
            number += 1
            name = f"{region.name}_{number}"
        taken[name] = region.first
        found.append(replace(region, name=name))
    return found


def _shifted(code: str, old: str, new: str, path: str) -> str:
    """The code with another indent; lines that begin within a string stay as they are."""
    fixed = _lines_in_strings(f"if 1:\n{code}" if old else code, path)
    shifted = []
    for number, line in enumerate(lines_of(code), 2 if old else 1):
        if number in fixed or not line.strip():
            shifted.append(line)
        else:
            shifted.append(new + (line[len(old) :] if line.startswith(old) else line.lstrip(" \t")))
    return "".join(shifted)


def _lines_in_strings(code: str, path: str) -> set[int]:
    """The lines of the code whose beginning lies within a string."""
    found: set[int] = set()
    opened: list[int] = []
    for token in tokens_of(code, path):
        kind = tokenize.tok_name[token.type]
        if kind == "STRING":
            found.update(range(token.start[0] + 1, token.end[0] + 1))
        elif kind in ("FSTRING_START", "TSTRING_START"):
            opened.append(token.start[0])
        elif kind in ("FSTRING_END", "TSTRING_END"):
            found.update(range(opened.pop() + 1, token.end[0] + 1))
    return found
