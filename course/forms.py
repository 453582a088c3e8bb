"""What a statement or an expression computes, whatever its variables are called and wherever its result is written."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

SAME: dict[str, Callable[..., ast.expr]] = {
    "np.add": lambda a, b: ast.BinOp(a, ast.Add(), b),
    "np.asarray": lambda a: a,
    "np.divide": lambda a, b: ast.BinOp(a, ast.Div(), b),
    "np.dot": lambda a, b: ast.BinOp(a, ast.MatMult(), b),
    "np.greater": lambda a, b: ast.Compare(a, [ast.Gt()], [b]),
    "np.matmul": lambda a, b: ast.BinOp(a, ast.MatMult(), b),
    "np.multiply": lambda a, b: ast.BinOp(a, ast.Mult(), b),
    "np.negative": lambda a: ast.UnaryOp(ast.USub(), a),
    "np.reciprocal": lambda a: ast.BinOp(ast.Constant(1), ast.Div(), a),
    "np.subtract": lambda a, b: ast.BinOp(a, ast.Sub(), b),
    "self.product": lambda name, a, b: ast.BinOp(a, ast.MatMult(), b),
    "self.zero": lambda a: ast.Constant(0),
}
"""The expression that a function's call is the same as."""

BUFFERS = ("out", "like")
"""The arguments that say where a result is written."""

MODULES = ("np", "scipy", "math")
OPERATIONS = (ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Subscript, ast.AugAssign)
IGNORED = ("ctx", "type_comment", "kind", "annotation", "simple")


def form(node: ast.AST, *, buffers: bool = False) -> tuple[str, int]:
    """The node as text, its variables numbered, and its number of operations; as written with its `buffers`, or plain.

    Variables are names, attributes of self and entries by name, p["W"]; the names of functions and methods are kept.
    An operation is an operator, an index, an attribute such as .T, a call, and each number among its arguments. An
    assignment to a variable that it reads, too, has one more.
    """
    numbers: dict[str, int] = {}
    count = 0

    def text(node: Any) -> str:
        nonlocal count
        if isinstance(node, list):
            return f"[{', '.join(map(text, node))}]"
        if not isinstance(node, ast.AST):
            return repr(node)
        node = node if buffers else _plain(node)
        variable = _variable(node)
        if variable:
            return f"v{numbers.setdefault(variable, len(numbers))}"
        if isinstance(node, ast.Call):
            arguments = [*node.args, *(keyword for keyword in node.keywords if buffers or keyword.arg not in BUFFERS)]
            plain = node.args if buffers else map(_plain, node.args)
            count += 1 + sum(isinstance(argument, ast.Constant) for argument in plain)
            function = node.func
            if isinstance(function, ast.Attribute):
                name = f"{text(function.value)}.{function.attr}"
            else:
                name = ast.unparse(function)
            return f"{name}({', '.join(map(text, arguments))})"
        count += isinstance(node, OPERATIONS) or (isinstance(node, ast.Attribute) and not _is_of_module(node.value))
        if isinstance(node, ast.Assign):
            written = {_variable(part) for target in node.targets for part in ast.walk(target)} - {""}
            count += any(_variable(part) in written for part in ast.walk(node.value))
        fields = [text(value) for name, value in ast.iter_fields(node) if name not in IGNORED]
        return f"{type(node).__name__}({', '.join(fields)})"

    return text(node), count


def head(node: ast.AST) -> str:
    """What a form begins with, to be compared first: nodes of one form have one head."""
    node = _plain(node)
    if isinstance(node, ast.Call):
        return str(getattr(node.func, "attr", getattr(node.func, "id", "call")))
    of_what = f" {head(node.value)}" if isinstance(node, ast.Assign | ast.AugAssign) else ""
    return f"{type(node).__name__}{of_what}"


def _plain(node: ast.AST) -> ast.AST:
    """The node as it would be written without buffers and annotations."""
    if isinstance(node, ast.AnnAssign) and node.value is not None:
        return ast.Assign([node.target], node.value)
    if isinstance(node, ast.Call) and all(keyword.arg in BUFFERS for keyword in node.keywords):
        same = SAME.get(_dotted(node.func))
        try:
            return _plain(same(*node.args)) if same else node
        except TypeError:  # another number of arguments
            return node
    return node


def _variable(node: ast.AST) -> str:
    """The variable's name; "" for any other node."""
    if isinstance(node, ast.Name):
        return "" if node.id in (*MODULES, "self") else node.id
    if isinstance(node, ast.Attribute):
        name = _dotted(node)
        return name if name.startswith("self.") else ""
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and isinstance(node.slice, ast.Constant):
        return f"{node.value.id}[{node.slice.value}]" if isinstance(node.slice.value, str) else ""
    return ""


def _dotted(node: ast.AST) -> str:
    """`np.add` of a name or its attribute; "" for any other node."""
    if isinstance(node, ast.Name):
        return node.id
    return (
        f"{node.value.id}.{node.attr}" if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) else ""
    )


def _is_of_module(node: ast.AST) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id in MODULES
