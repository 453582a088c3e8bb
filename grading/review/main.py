"""What stands under `if __name__ == "__main__"`, and what could make that true where a file is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TypeGuard

from handgrad.grading.review.bindings import name_of, word_of, words

NAMESPACES = words("globals vars locals exec eval compile __dict__ __setattr__ modules")
"""What a module's names can be reached by without writing them."""
PLAIN = (ast.Name, ast.Attribute, ast.Constant, ast.Expr, ast.BinOp, ast.UnaryOp)
"""Nodes that no text of theirs names anything by, but for what is looked at anyhow; most are of these."""


def may_be_main(node: ast.AST) -> bool:
    """Whether it may give the module the name "__main__"."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and node.value in ("__name__", "__main__")
    if isinstance(node, ast.Call) and name_of(node.func) in ("setattr", "delattr"):
        return not (len(node.args) > 1 and isinstance(node.args[1], ast.Constant))
    if isinstance(node, ast.Name | ast.Attribute):
        return name_of(node) in NAMESPACES or (name_of(node) == "__name__" and not isinstance(node.ctx, ast.Load))
    return _is_called_name(node)


def initialises(nodes: list[ast.AST]) -> bool:
    """Whether it calls __init__ of anything but a base: of a module, it gives another name."""
    bases = {
        alias.asname or alias.name
        for node in nodes
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").split(".")[0] == "handgrad")
        for alias in node.names
    }
    own = set()
    for node in nodes:
        match node:
            case ast.Attribute(value=ast.Call(func=ast.Name(id="super"), args=[])):
                own.add(node)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=base)) as function, args=[ast.Name(id="self"), *_]):
                own |= {function} if base in bases else set()
    return any(isinstance(node, ast.Attribute) and node.attr == "__init__" and node not in own for node in nodes)


def copies_names(nodes: list[ast.AST]) -> bool:
    """Whether functools.wraps does anything but decorate a function: it gives a module the name of another thing."""
    decorators = {
        one.func
        for node in nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for one in node.decorator_list
        if isinstance(one, ast.Call)
    }
    for node in nodes:
        if isinstance(node, ast.Name | ast.Attribute) and name_of(node) in ("wraps", "update_wrapper"):
            if node not in decorators:
                return True
        elif isinstance(node, ast.alias) and (node.name == "update_wrapper" or (node.name == "wraps" and node.asname)):
            return True
    return False


def _is_called_name(node: ast.AST) -> bool:
    """Whether a definition, an import, a pattern, an except or a global has the name __name__."""
    if isinstance(node, PLAIN):
        return False
    values = [getattr(node, field, None) for field in node._fields]
    return "__name__" in values or any("__name__" in value for value in values if isinstance(value, list))


def renames(nodes: list[ast.AST]) -> Iterator[int]:
    """The lines where __name__ is bound, or named in a text other than to read a function's."""
    read = {
        node.args[1]
        for node in nodes
        if isinstance(node, ast.Call) and name_of(node.func) in ("getattr", "hasattr") and len(node.args) > 1
    }
    for node in nodes:
        if isinstance(node, ast.Name | ast.Attribute):
            is_one = word_of(node) == "__name__" and not isinstance(node.ctx, ast.Load)
        elif isinstance(node, ast.Constant):
            is_one = node.value == "__name__" and node not in read
        else:
            is_one = _is_called_name(node)
        if is_one:
            yield getattr(node, "lineno", 1)


def is_main(node: ast.stmt) -> TypeGuard[ast.If]:
    """Whether it is `if __name__ == "__main__"`, which only the student's own runs enter."""
    match node:
        case ast.If(test=ast.Compare(left=left, ops=[ast.Eq()], comparators=[right])):
            sides = {(type(side), word_of(side)) for side in (left, right)}
            return sides == {(ast.Name, "__name__"), (ast.Constant, "__main__")}
    return False
