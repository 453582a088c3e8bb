"""Whether a handout gives a solution away.

What is sought are the statements of the marked solutions that do something, with at least one call, operator or index,
and the expressions in them with at least two. Python files are compared by their syntax trees, where layout, comments
and brackets make no difference; with three operations or more, neither do the names of variables. All text files, and
so docstrings and comments too, are searched for what has two operations, without spaces, line ends, comment signs and
kinds of quotes.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping

from handgrad.course.regions import Region

OPERATIONS = (ast.Call, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Subscript, ast.AugAssign)
IGNORED = re.compile(r"[\s#`\\]")
KEPT_NAMES = ("self", "np")


def leaks(files: Mapping[str, bytes], regions: Iterable[Region]) -> list[str]:
    """One sentence for each place of the files that holds a solution's statement or expression."""
    sought: dict[str, str] = {}
    as_text: dict[str, str] = {}
    for region in regions:
        for node in _computing(ast.parse(region.code)):
            for form in _forms(node):
                sought.setdefault(form, region.name)
            if _operations(node) > 1:
                as_text.setdefault(_squeezed(ast.unparse(node))[0], region.name)
    found: dict[tuple[str, int, str], str] = {}
    for path, content in files.items():
        try:
            text = content.decode()
        except UnicodeDecodeError:
            continue
        squeezed, lines = _squeezed(text)
        for words, name in as_text.items():
            place = squeezed.find(words)
            if place >= 0:
                found.setdefault((path, lines[place], name), words)
        for node in _computing(ast.parse(content)) if path.endswith(".py") else ():
            for form in _forms(node):
                if form in sought:
                    found.setdefault((path, node.lineno, sought[form]), ast.unparse(node))
    return [f"{path}:{line} gives {name} away: {words}" for (path, line, name), words in sorted(found.items())]


def _computing(tree: ast.AST) -> Iterator[ast.expr | ast.stmt]:
    """The simple statements and the expressions that are sought."""
    for node in ast.walk(tree):
        is_simple = isinstance(node, ast.stmt) and not hasattr(node, "body")
        if isinstance(node, ast.expr) and _operations(node) > 1:
            yield node
        elif is_simple and not isinstance(node, ast.Raise | ast.Assert) and _operations(node):
            assert isinstance(node, ast.stmt)
            yield node


def _operations(node: ast.AST) -> int:
    return sum(isinstance(part, OPERATIONS) for part in ast.walk(node))


def _forms(node: ast.AST) -> Iterator[str]:
    """What the node is known by: its tree and, if there is enough of it, its tree with the variables numbered."""
    tree = ast.dump(node)
    yield tree
    if _operations(node) > 2:
        numbers: dict[str, str] = {}

        def numbered(match: re.Match[str]) -> str:
            name = match.group(1)
            return f"Name({name if name in KEPT_NAMES else numbers.setdefault(name, str(len(numbers)))}"

        yield re.sub(r"Name\(id='(\w+)'", numbered, tree)


def _squeezed(text: str) -> tuple[str, list[int]]:
    """The text without what is ignored, and the line of each letter."""
    letters, lines, line = [], [], 1
    for letter in text:
        line += letter == "\n"
        if not IGNORED.match(letter):
            letters.append("'" if letter == '"' else letter)
            lines.append(line)
    return "".join(letters), lines
