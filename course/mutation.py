"""Mutants: code with one thing changed, made from its syntax tree, as a slip of the pen would.

`basic_ways` change operators, NumPy functions, comparisons, constants, `.T`, the order of two arguments and conditions,
and leave statements out. `student_ways` are these and more: what else students get wrong.
"""

from __future__ import annotations

import ast
import builtins
import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import partial
from typing import Any

Ways = Callable[[ast.AST, ast.AST], Iterator[Callable[[], Any]]]
"""(tree, node of it) -> functions that change the tree in place at the node, one for each way to."""

OPERATORS: dict[type[ast.operator], list[type[ast.operator]]] = {
    ast.Add: [ast.Sub],
    ast.Sub: [ast.Add],
    ast.Mult: [ast.Div, ast.Add],
    ast.Div: [ast.Mult],
    ast.Pow: [ast.Mult],
}
COMPARISONS: dict[type[ast.cmpop], list[type[ast.cmpop]]] = {
    ast.Gt: [ast.GtE, ast.Lt],
    ast.GtE: [ast.Gt, ast.Lt],
    ast.Lt: [ast.LtE, ast.Gt],
    ast.LtE: [ast.Lt, ast.Gt],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
}
FUNCTIONS = {
    "multiply": ["divide", "add"],
    "divide": ["multiply"],
    "add": ["subtract"],
    "subtract": ["add"],
    "greater": ["greater_equal", "less"],
    "greater_equal": ["greater", "less"],
    "less": ["less_equal", "greater"],
    "maximum": ["minimum"],
    "minimum": ["maximum"],
    "sum": ["mean"],
    "mean": ["sum"],
    "exp": ["abs"],
    "abs": ["negative"],
}
SYMMETRIC = {"multiply", "add", "maximum", "minimum"}
PRODUCTS = (ast.Mult, ast.Div, ast.MatMult)
NEAREST = 3
"""How many other names are tried in a name's place: those that stand nearest."""


@dataclass(frozen=True)
class Mutant:
    """Code that differs in one place: from line `line` on, `before` has become `after` (both lines of statements)."""

    code: str
    line: int
    before: tuple[str, ...]
    after: tuple[str, ...]


def mutants_of(code: str, ways: Ways) -> list[Mutant]:
    """Every mutant of `code`, whole statements without indent, once."""
    tree = ast.parse(code)
    original = ast.unparse(tree)
    made: dict[str, Mutant] = {}
    for node, changed in variants(tree, ways):
        text = ast.unparse(changed)
        if text != original and text not in made:
            made[text] = _mutant(original, text, getattr(node, "lineno", 1))
    return list(made.values())


def variants(tree: ast.AST, ways: Ways) -> Iterator[tuple[ast.AST, ast.AST]]:
    """(node of `tree` that is changed, a copy of the tree with the change), for all nodes and ways."""
    for position, node in enumerate(ast.walk(tree)):
        for number, _ in enumerate(ways(tree, node)):
            changed = copy.deepcopy(tree)
            its_own = list(ast.walk(changed))[position]
            list(ways(changed, its_own))[number]()
            yield node, ast.fix_missing_locations(changed)


def _mutant(original: str, text: str, line: int) -> Mutant:
    before, after = original.splitlines(), text.splitlines()
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    changes = [change for change in matcher.get_opcodes() if change[0] != "equal"]
    first, last = changes[0], changes[-1]
    removed, added = before[first[1] : last[2]], after[first[3] : last[4]]
    return Mutant(text, line, tuple(one.strip() for one in removed), tuple(one.strip() for one in added))


def basic_ways(tree: ast.AST, node: ast.AST) -> Iterator[Callable[[], Any]]:
    if isinstance(node, ast.BinOp | ast.AugAssign):
        for operator in OPERATORS.get(type(node.op), []):
            yield partial(setattr, node, "op", operator())
    if isinstance(node, ast.Compare) and not isinstance(node.ops[0], ast.Is | ast.IsNot):
        for comparison in COMPARISONS.get(type(node.ops[0]), []):
            yield partial(node.ops.__setitem__, 0, comparison())
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        for other in FUNCTIONS.get(node.func.attr, []):
            yield partial(setattr, node.func, "attr", other)
        if len(node.args) >= 2 and node.func.attr not in SYMMETRIC and _is_numpy(node.func):
            yield partial(node.args.__setitem__, slice(0, 2), node.args[1::-1])
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and type(node.value) is not bool:
        yield partial(setattr, node, "value", node.value + 1)
        yield partial(setattr, node, "value", node.value - 1)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
        yield partial(setattr, node, "op", ast.UAdd())
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield partial(setattr, node, "attr", "real")
    if isinstance(node, ast.If | ast.IfExp):
        yield partial(setattr, node, "test", ast.UnaryOp(ast.Not(), node.test))
    if isinstance(node, ast.FunctionDef | ast.If):
        for i, statement in enumerate(node.body):
            if not isinstance(statement, ast.Return):
                yield partial(node.body.__setitem__, i, ast.Pass())


def student_ways(known: Sequence[str] = ()) -> Ways:
    """The ways for a solution in a module that has the names `known`, which are left as they are."""

    def ways(tree: ast.AST, node: ast.AST) -> Iterator[Callable[[], Any]]:
        if _is_handling(tree, node):
            return
        yield from basic_ways(tree, node)
        for block in (getattr(node, name, None) for name in ("body", "orelse", "finalbody")):
            if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                yield from _in_block(block)
        if isinstance(node, ast.If | ast.While):
            for value in (True, False):
                yield partial(setattr, node, "test", ast.Constant(value))
        if isinstance(node, ast.Call):
            yield from _in_call(node)
        if isinstance(node, ast.Constant) and type(node.value) is bool:
            yield partial(setattr, node, "value", not node.value)
        for put, child in _children(node):
            for new in _instead(tree, node, child, known):
                yield partial(put, new)

    return ways


def _in_block(block: list[ast.stmt]) -> Iterator[Callable[[], Any]]:
    """Statements left out, exchanged, and computed in place or not."""
    for i, statement in enumerate(block):
        if not isinstance(statement, ast.Pass):
            yield partial(block.__setitem__, i, ast.Pass())
        if i + 1 < len(block) and not isinstance(block[i + 1], ast.Return):
            yield partial(block.__setitem__, slice(i, i + 2), [block[i + 1], block[i]])
        if isinstance(statement, ast.AugAssign):
            target = _loaded(statement.target)
            for new in (statement.value, ast.BinOp(target, statement.op, statement.value)):
                yield partial(block.__setitem__, i, ast.Assign([statement.target], new))
        if not isinstance(statement, ast.Assign | ast.Return):
            continue
        value = statement.value
        if isinstance(value, ast.BinOp | ast.Call | ast.Name):
            yield partial(setattr, statement, "value", ast.UnaryOp(ast.USub(), value))
        if isinstance(value, ast.BinOp) and isinstance(value.left, ast.Name):
            first = ast.AugAssign(ast.Name(value.left.id, ast.Store()), value.op, value.right)
            then = copy.copy(statement)
            then.value = value.left
            yield partial(block.__setitem__, slice(i, i + 1), [first, then])


def _in_call(node: ast.Call) -> Iterator[Callable[[], Any]]:
    """Keywords left out and exchanged, and results written over what was handed in."""
    for i, keyword in enumerate(node.keywords):
        yield partial(node.keywords.pop, i)
        value = keyword.value
        if keyword.arg == "axis" and isinstance(value, ast.Constant) and value.value in (0, 1):
            yield partial(setattr, value, "value", 1 - value.value)
        if keyword.arg == "out":
            for given in node.args:
                if isinstance(given, ast.Name):
                    yield partial(setattr, keyword, "value", given)


def _children(node: ast.AST) -> Iterator[tuple[Callable[[ast.expr], None], ast.expr]]:
    """The expressions right under a node, each with what puts another in its place."""
    for name, value in ast.iter_fields(node):
        if isinstance(value, ast.expr):
            yield partial(setattr, node, name), value
        elif isinstance(value, list):
            for i, one in enumerate(value):
                if isinstance(one, ast.expr):
                    yield partial(value.__setitem__, i), one


def _instead(tree: ast.AST, parent: ast.AST, node: ast.expr, known: Sequence[str]) -> Iterator[ast.expr]:
    """What may stand in an expression's place by mistake."""
    if isinstance(node, ast.BinOp):
        yield node.left
        yield node.right
        if isinstance(node.op, ast.Sub | ast.Div | ast.MatMult):
            yield ast.BinOp(node.right, node.op, node.left)
    elif isinstance(node, ast.BoolOp):
        yield from node.values
        yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    elif isinstance(node, ast.IfExp):
        yield node.body
        yield node.orelse
    elif isinstance(node, ast.Call):
        is_method = isinstance(node.func, ast.Attribute) and not _is_numpy(node.func)
        if isinstance(node.func, ast.Attribute) and is_method and not _is_self(node.func.value):
            yield node.func.value
        yield from (given for given in node.args if not isinstance(given, ast.Constant | ast.Starred))
    elif isinstance(node, ast.Attribute) and node.attr == "T":
        yield node.value
    elif isinstance(node, ast.Attribute) and _is_self(node.value) and isinstance(node.ctx, ast.Load):
        if not (isinstance(parent, ast.Call) and parent.func is node):
            for name in _attributes(tree):
                if name != node.attr:
                    yield ast.Attribute(node.value, name, node.ctx)
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and _is_own(node.id, known):
        for name in _nearest(tree, node, known):
            yield ast.Name(name, node.ctx)
    elif (
        isinstance(node, ast.Constant) and isinstance(node.value, str) and isinstance(parent, ast.Dict | ast.Subscript)
    ):
        for other in sorted(_keys(tree) - {node.value}):
            yield ast.Constant(other)
    is_factor = isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.MatMult)
    if (is_factor or _is_product(parent)) and isinstance(node, ast.Name):
        yield ast.Attribute(node, "T", ast.Load())
    if (is_factor or _is_product(parent)) and isinstance(node, ast.Attribute) and _is_self(node.value):
        yield ast.Attribute(node, "T", ast.Load())
    if isinstance(parent, ast.For | ast.comprehension) and parent.iter is node:
        yield ast.Call(ast.Name("reversed", ast.Load()), [ast.Call(ast.Name("list", ast.Load()), [node], [])], [])


def _nearest(tree: ast.AST, node: ast.Name, known: Sequence[str]) -> list[str]:
    """The other names of the code's own, those in the nearest lines first."""
    lines: dict[str, int] = {}
    for other in ast.walk(tree):
        if isinstance(other, ast.Name) and _is_own(other.id, known) and other.id != node.id:
            away = abs(other.lineno - node.lineno)
            lines[other.id] = min(away, lines.get(other.id, away))
    return sorted(lines, key=lambda name: (lines[name], name))[:NEAREST]


def _attributes(tree: ast.AST) -> list[str]:
    """What the code reads of `self`, but for methods that it calls."""
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    found = [
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and _is_self(node.value) and id(node) not in called
    ]
    return sorted(set(found) - {"cache", "workspace"})


def _keys(tree: ast.AST) -> set[str]:
    keys: list[ast.expr | None] = []
    for node in ast.walk(tree):
        keys += node.keys if isinstance(node, ast.Dict) else [node.slice] if isinstance(node, ast.Subscript) else []
    return {key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str)}


def _is_handling(tree: ast.AST, node: ast.AST) -> bool:
    """Whether the node is in an except clause: what errors say is no task of students."""
    handlers = [one for one in ast.walk(tree) if isinstance(one, ast.ExceptHandler)]
    return any(node is inner for handler in handlers for inner in ast.walk(handler))


def _is_own(name: str, known: Sequence[str]) -> bool:
    return name not in known and name != "self" and not hasattr(builtins, name)


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def _is_product(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("product", "dot", "matmul")
    )


def _is_numpy(function: ast.Attribute) -> bool:
    return isinstance(function.value, ast.Name) and function.value.id == "np"


def _loaded(target: ast.expr) -> Any:
    loaded = copy.deepcopy(target)
    for node in ast.walk(loaded):
        if hasattr(node, "ctx"):
            node.ctx = ast.Load()
    return loaded
