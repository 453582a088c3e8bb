"""A small mutation engine: every backward of the package, with one thing changed at a time.

Operators, NumPy functions, comparisons, constants (axes among them), `.T`, the order of two arguments, conditions,
and statements left out.
"""

import ast
import copy
import inspect
import sys
import textwrap
from dataclasses import dataclass

OPERATORS = {
    ast.Add: [ast.Sub],
    ast.Sub: [ast.Add],
    ast.Mult: [ast.Div, ast.Add],
    ast.Div: [ast.Mult],
    ast.Pow: [ast.Mult],
    ast.MatMult: [],
}
COMPARISONS = {
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


@dataclass(frozen=True)
class Mutant:
    """A class whose backward differs from the original's in one place."""

    original: type
    changed: type
    what: str

    def __str__(self):
        return f"{self.original.__name__}: {self.what}"


def mutants_of(cls):
    """Every mutant of the backward that `cls` defines itself."""
    source = textwrap.dedent(inspect.getsource(cls.backward))
    tree = ast.parse(source)
    count = sum(1 for _ in ast.walk(tree))
    made = {}
    for position in range(count):
        variant = 0
        while True:
            changed = copy.deepcopy(tree)
            what = _mutate(changed, position, variant)
            if what is None:
                break
            variant += 1
            text = ast.unparse(changed)
            if text != ast.unparse(tree):
                made.setdefault(text, what)
    return [Mutant(cls, _class(cls, text), what) for text, what in made.items()]


def _class(cls, text):
    names = dict(vars(sys.modules[cls.__module__]))
    exec(compile(text, f"<mutant of {cls.__name__}>", "exec"), names)
    return type(cls.__name__, (cls,), {"backward": names["backward"], "__module__": cls.__module__})


def _mutate(tree, position, variant):
    """Changes the node at `position` in its `variant`-th way; says what was done, None when there is no such way."""
    node = list(ast.walk(tree))[position]
    line = getattr(node, "lineno", 0)
    before = ast.unparse(node) if line else ""
    ways = list(_ways(tree, node))
    if variant >= len(ways):
        return None
    ways[variant]()
    after = ast.unparse(node) if line else ""
    return f"line {line}: {before.splitlines()[0]} -> {after.splitlines()[0] if after != before else '(left out)'}"


def _ways(tree, node):
    """Functions that change `node` in place, one for each way to."""
    if isinstance(node, ast.BinOp | ast.AugAssign):
        for operator in OPERATORS.get(type(node.op), []):
            yield lambda operator=operator: setattr(node, "op", operator())
    if isinstance(node, ast.Compare) and not isinstance(node.ops[0], ast.Is | ast.IsNot):
        for operator in COMPARISONS.get(type(node.ops[0]), []):
            yield lambda operator=operator: node.ops.__setitem__(0, operator())
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        for other in FUNCTIONS.get(node.func.attr, []):
            yield lambda other=other: setattr(node.func, "attr", other)
        if len(node.args) >= 2 and node.func.attr not in SYMMETRIC and _is_numpy(node.func):
            yield lambda: node.args.__setitem__(slice(0, 2), node.args[1::-1])
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield lambda: setattr(node, "value", node.value + 1)
        yield lambda: setattr(node, "value", node.value - 1)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
        yield lambda: setattr(node, "op", ast.UAdd())
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield lambda: setattr(node, "attr", "real")
    if isinstance(node, ast.If | ast.IfExp):
        yield lambda: setattr(node, "test", ast.UnaryOp(ast.Not(), node.test))
    if isinstance(node, ast.FunctionDef | ast.If):
        for i, statement in enumerate(node.body):
            if not isinstance(statement, ast.Return):
                yield lambda i=i: node.body.__setitem__(i, ast.Pass())


def _is_numpy(function):
    return isinstance(function.value, ast.Name) and function.value.id == "np"
