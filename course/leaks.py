"""Whether a handout gives a solution away.

What is sought are the simple statements and the expressions of the marked solutions that have two operations or more;
where a solution has none, its statements of one. An operation is an operator, an index or a call, and a call with many
arguments is as many operations as these less one. Python files are compared by their syntax trees, where layout,
comments and brackets make no difference. Statements and the values they give, with two operations or more, and
expressions with three are found under other names of variables, too, and with or without buffers (forms.py).
All text files, and so docstrings and comments, are searched for the same words, without spaces, line ends, comment
signs and kinds of quotes.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from handgrad.course.forms import form
from handgrad.course.regions import Region

OPERATIONS = (ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Subscript)
IGNORED = re.compile(r"[\s#`\\]")
COMPUTING = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Call, *OPERATIONS)


def leaks(files: Mapping[str, bytes], regions: Iterable[Region]) -> list[str]:
    """One sentence for each place of the files that holds a solution's statement or expression."""
    trees: dict[str, str] = {}
    forms: dict[str, str] = {}
    texts: dict[str, str] = {}
    sizes: set[tuple[type, int]] = set()
    for region in regions:
        tree = ast.parse(region.code)
        computing = _computing(tree)
        least = min(2, max((operations for _, operations in computing), default=0))
        for node, operations in computing:
            if operations >= least:
                sizes.add((type(node), operations))
                trees.setdefault(ast.dump(node), region.name)
                if operations > 1 or isinstance(node, ast.stmt):
                    texts.setdefault(_squeezed(ast.unparse(node)), region.name)
        for node, is_whole in _computed(tree):
            text, operations = form(node)
            if operations > 2 or (operations == 2 and is_whole):
                forms.setdefault(text, region.name)
            text, operations = form(node, buffers=True)
            if operations > 2:
                forms.setdefault(text, region.name)
    found: dict[tuple[str, int, str], str] = {}
    for path, content in files.items():
        try:
            text = content.decode()
        except UnicodeDecodeError:
            continue
        tree = ast.parse(content if path.endswith(".py") else "")
        known = [(node, trees.get(ast.dump(node))) for node, count in _computing(tree) if (type(node), count) in sizes]
        for buffers in (False, True) if "out=" in text else (False,):
            known += [(node, forms.get(form(node, buffers=buffers)[0])) for node, _ in _computed(tree)]
        for node, name in known:
            if name is not None:
                found.setdefault((path, node.lineno, name), ast.unparse(node))
        squeezed = _squeezed(text)
        for words, name in texts.items():
            if words in squeezed:
                found.setdefault((path, _line_of(squeezed.index(words), text), name), words)
    return [f"{path}:{line} gives {name} away: {words}" for (path, line, name), words in sorted(found.items())]


def _computing(tree: ast.AST) -> list[tuple[Any, int]]:
    """The simple statements and the larger expressions, the outer ones first, with their numbers of operations."""
    found: list[tuple[Any, int]] = []

    def operations(node: ast.AST) -> int:
        count = sum(map(operations, ast.iter_child_nodes(node)))
        if isinstance(node, ast.Call):
            count += max(1, len(node.args) + len(node.keywords) - 1)
        else:
            count += isinstance(node, OPERATIONS)
        if isinstance(node, ast.stmt):
            is_one = count > 0 and not hasattr(node, "body") and not isinstance(node, ast.Raise | ast.Assert)
        else:
            is_one = count > 1 and isinstance(node, ast.expr)
        if is_one:
            found.append((node, count))
        return count

    operations(tree)
    return found[::-1]


def _computed(tree: ast.AST) -> Iterator[tuple[Any, bool]]:
    """What has a form: assignments and operations, each with whether it is a statement or all that one gives."""
    wholes: set[ast.AST] = set()
    for node in ast.walk(tree):  # the outer ones first
        if isinstance(node, ast.stmt):
            value = getattr(node, "value", None)
            wholes |= {node, value, *(ast.iter_child_nodes(value) if isinstance(value, ast.Tuple | ast.Dict) else ())}
        if isinstance(node, COMPUTING):
            yield node, node in wholes


def _squeezed(text: str) -> str:
    return IGNORED.sub("", text).replace('"', "'")


def _line_of(place: int, text: str) -> int:
    """The line of a place in the squeezed text."""
    kept = [match.start() for match in re.finditer(f"(?!{IGNORED.pattern}).", text)]
    return text.count("\n", 0, kept[place]) + 1
