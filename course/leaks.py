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

from handgrad.course.forms import form, head
from handgrad.course.regions import Region

OPERATIONS = (ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Subscript)
IGNORED = re.compile(r"[\s#`\\]")
WITH_FORM = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Call, *OPERATIONS)


def leaks(files: Mapping[str, bytes], regions: Iterable[Region]) -> list[str]:
    """One sentence for each place of the files that holds a solution's statement or expression."""
    sought = _Sought()
    for region in regions:
        sought.add(region.name, ast.parse(region.code))
    found: dict[tuple[str, int, str], str] = {}
    for path, content in files.items():
        try:
            text = content.decode()
        except UnicodeDecodeError:
            continue
        for node, name in sought.known(ast.parse(content)) if path.endswith(".py") else ():
            found.setdefault((path, node.lineno, name), ast.unparse(node))
        squeezed = _squeezed(text)
        for words, name in sought.texts.items():
            if words in squeezed:
                found.setdefault((path, _line_of(squeezed.index(words), text), name), words)
    return [f"{path}:{line} gives {name} away: {words}" for (path, line, name), words in sorted(found.items())]


class _Sought:
    """The solutions' statements and expressions, as syntax trees, as forms and as text: each with its task's name.

    Nodes whose size or head no sought one has are not looked at: that saves most of the time.
    """

    def __init__(self) -> None:
        self.trees: dict[str, str] = {}
        self.forms: dict[str, str] = {}
        self.texts: dict[str, str] = {}
        self.sizes: set[tuple[type, int]] = set()
        self.heads: set[str] = set()

    def add(self, name: str, tree: ast.Module) -> None:
        computing = _computing(tree)
        least = min(2, max((operations for _, operations in computing), default=0))
        for node, operations in computing:
            if operations >= least:
                self.sizes.add((type(node), operations))
                self.trees.setdefault(ast.dump(node), name)
                if operations > 1 or isinstance(node, ast.stmt):
                    self.texts.setdefault(_squeezed(ast.unparse(node)), name)
        wholes = set(_wholes(tree))
        for node in _with_form(tree):
            for buffers, least in ((False, 2 if node in wholes else 3), (True, 3)):
                text, operations = form(node, buffers=buffers)
                if operations >= least:
                    self.heads.add(head(node))
                    self.forms.setdefault(text, name)

    def known(self, tree: ast.Module) -> Iterator[tuple[Any, str]]:
        """What of a file's tree is sought, each with the task's name."""
        for node, operations in _computing(tree):
            if (type(node), operations) in self.sizes and (name := self.trees.get(ast.dump(node))):
                yield node, name
        for node in _with_form(tree):
            if head(node) in self.heads:
                texts = (form(node, buffers=buffers)[0] for buffers in (False, True))
                yield from ((node, self.forms[text]) for text in texts if text in self.forms)


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


def _with_form(tree: ast.AST) -> Iterator[Any]:
    """The assignments and operations, the outer ones first."""
    return (node for node in ast.walk(tree) if isinstance(node, WITH_FORM))


def _wholes(tree: ast.AST) -> Iterator[ast.AST | None]:
    """The statements, and all that one gives: the value it assigns or returns, or the values if these are many."""
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt):
            value = getattr(node, "value", None)
            yield from (node, value)
            if isinstance(value, ast.Tuple | ast.Dict):
                yield from ast.iter_child_nodes(value)


def _squeezed(text: str) -> str:
    return IGNORED.sub("", text).replace('"', "'")


def _line_of(place: int, text: str) -> int:
    """The line of a place in the squeezed text."""
    kept = [match.start() for match in re.finditer(f"(?!{IGNORED.pattern}).", text)]
    return text.count("\n", 0, kept[place]) + 1
