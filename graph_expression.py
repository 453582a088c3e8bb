"""Graphs written as text, such as `q = x + y; f = q * z`: parsed, never evaluated."""

from __future__ import annotations

import ast
import difflib
import inspect
import itertools
import operator
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from handgrad import graph
from handgrad.expression import LAYERS, LONGEST, ExpressionError, LayerBuilder, literal
from handgrad.graph import Graph, Input, Node
from handgrad.layers import Layer, ReLU, Sigmoid, Sum, Tanh, Transpose

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "maximum": graph.maximum,
    "concatenate": lambda *values, axis=-1: graph.concatenate(values, axis),
    "exp": graph.exp,
    "log": graph.log,
    "sigmoid": lambda x: Sigmoid()(x),
    "relu": lambda x: ReLU()(x),
    "tanh": lambda x: Tanh()(x),
    "sum": lambda x, axis=None: Sum(axis)(x),
}
"""What the expression of a graph may call besides layers."""

OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.MatMult: operator.matmul,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
}


def is_model(text: str) -> bool:
    """Whether the text is layers in a row, rather than an expression of inputs."""
    try:
        root = _parsed(f"Sequential({text.strip()}\n)", "eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    nodes = list(ast.walk(root))
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    known = {node.target.id for node in nodes if isinstance(node, ast.NamedExpr)} | LAYERS.keys()
    if any(isinstance(node, ast.Name) and id(node) not in called and node.id not in known for node in nodes):
        return False
    if not isinstance(root, ast.Call) or root.keywords or not root.args:
        return False
    layers = [part.value if isinstance(part, ast.NamedExpr) else part for part in root.args]
    return all(
        isinstance(layer, ast.Name)
        or (isinstance(layer, ast.Call) and isinstance(layer.func, ast.Name) and layer.func.id not in FUNCTIONS)
        for layer in layers
    )


def parse_graph(text: str, rng: np.random.Generator | None = None) -> Graph:
    """The graph that `text` describes: an expression such as `(x + y) * z`, or several as `q = x + y; f = q * z`.

    Names that are not assigned are the graph's inputs, in the order in which they occur. There are + - * / @ **, .T,
    numbers, the functions of FUNCTIONS, and layers: `FC(4, 3)(x)`, or `fc = FC(4, 3); fc(x) + fc(y)`. Nodes without a
    name are called q, or q1, q2, ..., and the last one f. Layers that draw numbers take `rng`.
    """
    statements = _statements(text)
    if not statements:
        raise ExpressionError("expected an expression such as (x + y) * z, got nothing")
    try:
        return _GraphBuilder(rng).graph(statements)
    except RecursionError:
        raise ExpressionError("an expression may not nest that deeply") from None


def _statements(text: str) -> list[ast.stmt]:
    if len(text) > LONGEST:
        raise ExpressionError(f"an expression may have {LONGEST} characters, got {len(text)}")
    try:
        return list(_parsed(text.strip(), "exec").body)
    except (RecursionError, MemoryError):
        raise ExpressionError("an expression may not nest that deeply") from None
    except (SyntaxError, ValueError):
        shown = text if len(text) < 100 else f"{text[:100]}..."
        raise ExpressionError(
            f"expected layers such as FC(4, 3), ReLU() or an expression such as (x + y) * z; cannot read {shown!r}"
        ) from None


def _parsed(text: str, mode: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python's, about what it takes for a slip of the pen
        return ast.parse(text, mode=mode)


class _GraphBuilder:
    def __init__(self, rng: np.random.Generator | None) -> None:
        self.layers = LayerBuilder(rng)
        self.assigned: dict[str, Node] = {}
        self.inputs: dict[str, Input] = {}
        self.used: set[str] = set()
        self.nodes: list[Node] = []

    def graph(self, statements: list[ast.stmt]) -> Graph:
        output: Any = None
        for statement in statements:
            is_last = statement is statements[-1]
            if isinstance(statement, ast.Assign):
                output = self.assign(statement)
            elif isinstance(statement, ast.Expr) and is_last:
                output = self.value(statement.value)
            else:
                raise ExpressionError(f"expected NAME = EXPRESSION, got {ast.unparse(statement)}")
        if not isinstance(output, Node) or isinstance(output, Input):
            raise ExpressionError(f"expected something computed from an input, got {ast.unparse(statements[-1])}")
        unused = [name for name, node in self.assigned.items() if name not in self.used and node is not output]
        if unused:
            raise ExpressionError(f"{unused[0]} is assigned, but what follows does not use it")
        self.name_nodes(output)
        try:
            return Graph(list(self.inputs.values()), output)
        except (TypeError, ValueError) as error:
            raise ExpressionError(str(error)) from None

    def assign(self, statement: ast.Assign) -> Any:
        """The value that gets a name; None for a layer."""
        text, target = ast.unparse(statement), statement.targets[0]
        if len(statement.targets) > 1 or not isinstance(target, ast.Name):
            raise ExpressionError(f"expected NAME = EXPRESSION, got {text}")
        name, call = target.id, statement.value
        if name in self.assigned or name in self.layers.named or name in self.inputs:
            raise ExpressionError(f"{text}: {name} has a value already")
        if name in FUNCTIONS or name in LAYERS:
            raise ExpressionError(f"{text}: {name} is the name of a function or layer; choose another")
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in LAYERS:
            self.layers.named[name] = self.layers.layer(call)
            return None
        value = self.value(call)
        if not isinstance(value, Node) or isinstance(value, Input) or value.name:
            raise ExpressionError(f"{text}: expected something computed from an input, which has no name yet")
        self.assigned[name] = value.named(name)
        return value

    def value(self, node: ast.expr) -> Any:
        """A node of the graph, or a number."""
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            return self.computed(node, float, node.value)
        if isinstance(node, ast.Name):
            return self.named(node.id)
        if isinstance(node, ast.UnaryOp) and type(node.op) in OPERATORS:
            return self.computed(node, OPERATORS[type(node.op)], self.value(node.operand))
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
            left, right = self.value(node.left), self.value(node.right)
            if isinstance(node.op, ast.Pow) and isinstance(right, Node):
                raise ExpressionError(f"{ast.unparse(node)}: an exponent must be a number")
            return self.computed(node, OPERATORS[type(node.op)], left, right)
        if isinstance(node, ast.Attribute) and node.attr == "T":
            return self.computed(node, Transpose(), self.value(node.value))
        if isinstance(node, ast.Call):
            return self.call(node)
        raise ExpressionError(f"expected numbers, names, + - * / @ **, functions and layers, got {ast.unparse(node)}")

    def call(self, node: ast.Call) -> Any:
        called = node.func
        name = called.id if isinstance(called, ast.Name) else ""
        function: Callable[..., Any]
        if name in FUNCTIONS:
            function = FUNCTIONS[name]
        elif name in LAYERS:
            raise ExpressionError(f"{ast.unparse(node)}: a layer is made first and called then, {name}(...)(x)")
        elif name in self.layers.named or not name:
            function = self.layers.layer(called)
        else:
            near = difflib.get_close_matches(name, [*FUNCTIONS, *LAYERS], 1, 0.5)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(FUNCTIONS))}, and layers"
            raise ExpressionError(f"there is no function {name}; {hint}")
        arguments = [self.value(argument) for argument in node.args]
        options = {str(keyword.arg): literal(keyword.value) for keyword in node.keywords}
        signature = inspect.signature(function.forward if isinstance(function, Layer) else function)
        try:
            signature.bind(*arguments, **options)
        except TypeError as error:
            raise ExpressionError(f"{ast.unparse(node)}: {error}") from None
        if not any(isinstance(argument, Node) for argument in arguments):
            raise ExpressionError(
                f"{ast.unparse(node)}: expected an input or something computed from one in the brackets"
            )
        return self.computed(node, function, *arguments, **options)

    def named(self, name: str) -> Any:
        if name in self.layers.named:
            raise ExpressionError(f"{name} is a layer: call it, as in {name}(x)")
        if name in FUNCTIONS or name in LAYERS:
            raise ExpressionError(f"{name} needs its brackets: {name}({'...' if name in FUNCTIONS else ''})")
        self.used.add(name)
        return self.assigned[name] if name in self.assigned else self.inputs.setdefault(name, Input(name))

    def computed(self, node: ast.expr, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        try:
            value = function(*arguments, **options)
        except (TypeError, ValueError, ArithmeticError) as error:
            raise ExpressionError(f"{ast.unparse(node)}: {error}") from None
        if isinstance(value, Node) and not any(value is argument for argument in arguments):
            self.nodes.append(value)
        elif isinstance(value, complex) or (isinstance(value, float) and not np.isfinite(value)):
            raise ExpressionError(f"{ast.unparse(node)}: expected a finite real number, got {value}")
        return value

    def name_nodes(self, output: Node) -> None:
        taken = {*self.inputs, *self.assigned}
        if not output.name:
            output.named(next(name for name in ("f", *(f"f{k}" for k in range(LONGEST))) if name not in taken))
            taken.add(output.name)
        unnamed = [node for node in self.nodes if not node.name]
        free: Iterator[str] = (name for name in (f"q{k}" for k in itertools.count(1)) if name not in taken)
        if len(unnamed) == 1 and "q" not in taken:
            free = iter(["q"])
        for node in unnamed:
            node.named(next(free))
