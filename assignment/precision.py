"""Whether a file computes in single precision."""

from __future__ import annotations

import ast

NAMES = frozenset({"float32", "single"})
CODES = NAMES | {"f", "f4", "<f4", ">f4", "=f4"}
"""What NumPy calls it, in words and as a string."""


def names_single(code: bytes, given: bytes = b"") -> bool:
    """Whether Python code names single precision: np.float32, "float32", "f4", but not in comments or docstrings.

    `given` is the file as it was handed out, whose own mentions do not count.
    """
    return _mentions(code) > _mentions(given)


def _mentions(code: bytes) -> int:
    """How often the code names it; never where it is no Python."""
    try:
        nodes = list(ast.walk(ast.parse(code)))
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return 0
    prose = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}  # docstrings
    prose |= {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}  # f"{x:f}"
    return sum(_is_mention(node) for node in nodes if id(node) not in prose)


def _is_mention(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and node.value in CODES
    if isinstance(node, ast.alias):
        return node.name in NAMES
    return (isinstance(node, ast.Name) and node.id in NAMES) or (isinstance(node, ast.Attribute) and node.attr in NAMES)
