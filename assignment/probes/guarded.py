"""The training loop with a guard around its forward step, which tells whose mistake it is when the loop fails."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from functools import cache
from types import ModuleType
from typing import Any

FORWARD_ALONE = """
_held = model, loss, optimizer
...
scores
if (model, loss, optimizer) == _held:
    loss.of_forward = {**model.seen, **loss.seen}
"""
"""Notes what the forward step, the dots, handed to model and loss, if it ended and left what the update needs."""

UPDATE_ALONE = """
_held = model, loss, optimizer, x, y
try:
    scores = None
    ...
    len(scores)
except Exception:
    scores, run.value = _held[-1] + 0.5, 0.0
finally:
    model, loss, optimizer, x, y = _held
    loss.rows = len(y)
"""
"""Keeps from the update whatever the forward step, the dots, does wrong: raise, leave scores unset, or give the loop's
names other values. What stands in for it is no answer to it; the toy loss takes from its rows how large a batch is."""


@cache
def guarded(module: ModuleType, name: str, guard: str) -> Callable[..., Any]:
    """The function `name` of the module with one of the guards above.

    The forward step is what stands in the loop over batches before it is looked at whether the loss is finite.
    ValueError where there is no such loop.
    """
    path = str(module.__file__)
    with open(path, encoding="utf-8") as file:
        source = ast.parse(file.read())
    for function in source.body:
        if isinstance(function, ast.FunctionDef) and function.name == name:
            for loop in ast.walk(function):
                ends = [i for i, one in enumerate(loop.body) if _is_check(one)] if isinstance(loop, ast.For) else []
                if isinstance(loop, ast.For) and ends:
                    loop.body = [*_around(loop.body[: ends[0]], ast.parse(guard).body), *loop.body[ends[0] :]]
                    return _compiled(function, module, path)
    raise ValueError(f"{name}: no loop over batches that checks its loss")


def _is_check(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and ast.unparse(statement.test) == "not math.isfinite(run.value)"


def _around(step: Sequence[ast.stmt], guard: Sequence[ast.stmt]) -> list[ast.stmt]:
    """The guard with the step in the place of its dots."""
    found: list[ast.stmt] = []
    for statement in guard:
        if isinstance(statement, ast.Try):
            statement.body = _around(step, statement.body)
        is_dots = isinstance(statement, ast.Expr) and ast.unparse(statement) == "..."
        found += step if is_dots else [statement]
    return found


def _compiled(function: ast.FunctionDef, module: ModuleType, path: str) -> Callable[..., Any]:
    """The function, with the module's names around it, which it does not change."""
    names = dict(vars(module))
    future = ast.ImportFrom("__future__", [ast.alias("annotations")], 0)
    exec(compile(ast.fix_missing_locations(ast.Module([future, function], [])), path, "exec"), names)
    made: Callable[..., Any] = names[function.name]
    return made
