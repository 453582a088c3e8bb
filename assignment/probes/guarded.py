"""The training loop whose forward step may raise, so that its update can be asked all the same."""

from __future__ import annotations

import ast
from collections.abc import Callable
from types import ModuleType
from typing import Any

STAND_IN = "scores, run.value, loss.rows = y + 0.5, 0.0, len(y)"
"""What stands in for the forward step; no answer to it. The toy loss takes from its rows how large a batch is."""


def loop_without_forward(module: ModuleType, name: str) -> Callable[..., Any]:
    """The function `name` of the module, where an error of the forward step, or scores left unset, ends nothing.

    The forward step is what stands in the loop over batches before it is looked at whether the loss is finite.
    ValueError where there is no such loop.
    """
    path = str(module.__file__)
    with open(path, encoding="utf-8") as file:
        source = compile(file.read(), path, "exec", ast.PyCF_ONLY_AST | ast.PyCF_TYPE_COMMENTS)
    found = [one for one in source.body if isinstance(one, ast.FunctionDef) and one.name == name]
    for function in found:
        for loop in ast.walk(function):
            ends = [i for i, one in enumerate(loop.body) if _is_check(one)] if isinstance(loop, ast.For) else []
            if isinstance(loop, ast.For) and ends:
                step, rest = loop.body[: ends[0]], loop.body[ends[0] :]
                handler = ast.ExceptHandler(ast.Name("Exception", ast.Load()), None, ast.parse(STAND_IN).body)
                step = [*ast.parse("scores = None").body, *step, *ast.parse("len(scores)").body]
                loop.body = [ast.Try(step, [handler], [], []), *rest]
                return _compiled(function, module, path)
    raise ValueError(f"{name}: no loop over batches that checks its loss")


def _is_check(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and ast.unparse(statement.test) == "not math.isfinite(run.value)"


def _compiled(function: ast.FunctionDef, module: ModuleType, path: str) -> Callable[..., Any]:
    """The function, with the module's names around it, which it does not change."""
    names = dict(vars(module))
    future = ast.ImportFrom("__future__", [ast.alias("annotations")], 0)
    exec(compile(ast.fix_missing_locations(ast.Module([future, function], [])), path, "exec"), names)
    made: Callable[..., Any] = names[function.name]
    return made
