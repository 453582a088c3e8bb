"""Models written as text, such as `FC(64, 128), ReLU(), FC(128, 10)`: parsed, never evaluated."""

from __future__ import annotations

import ast
import difflib
import inspect
from typing import Any

import numpy as np

from handgrad import layers
from handgrad.layers import Layer
from handgrad.model import Sequential

LAYERS: dict[str, type[Layer]] = {
    cls.__name__: cls
    for cls in vars(layers).values()
    if isinstance(cls, type) and issubclass(cls, Layer) and not inspect.isabstract(cls)
} | {"Sequential": Sequential}
"""What an expression may call."""

LONGEST = 20_000
"""Characters in an expression, at most: enough for a thousand layers."""


class ExpressionError(ValueError):
    """The text is no model; one sentence says what was expected and what came."""


def parse_model(text: str, rng: np.random.Generator | None = None) -> Sequential:
    """The model that `text` describes: layers separated by commas, or one Sequential(...).

    Only handgrad's layers can be named, and their arguments are literals. A layer that occurs twice gets a name,
    `Sequential(a := FC(4, 4), ReLU(), a)`, as in a model's repr. Layers that draw numbers take `rng`.
    """
    if len(text) > LONGEST:
        raise ExpressionError(f"a model may have {LONGEST} characters, got {len(text)}")
    try:
        # The brackets make `a, b` and `x := FC(4, 4), x` the arguments of one call.
        call = ast.parse(f"Sequential({text.strip()}\n)", mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ExpressionError(f"a model is written FC(64, 128), ReLU(), FC(128, 10); cannot read {text!r}") from None
    if not isinstance(call, ast.Call) or not call.args:
        raise ExpressionError(f"a model is written FC(64, 128), ReLU(), FC(128, 10); got {text!r}")
    try:
        model = LayerBuilder(rng).layer(call)
    except RecursionError:
        raise ExpressionError("a model may not nest that deeply") from None
    assert isinstance(model, Sequential)
    inner = model.layers[0]
    return inner if len(model.layers) == 1 and isinstance(inner, Sequential) else model


class LayerBuilder:
    """Makes layers of their calls in the text; `named` are those that got a name there."""

    def __init__(self, rng: np.random.Generator | None) -> None:
        self.rng = rng
        self.named: dict[str, Layer] = {}

    def layer(self, node: ast.expr) -> Layer:
        if isinstance(node, ast.NamedExpr):
            self.named[node.target.id] = self.layer(node.value)
            return self.named[node.target.id]
        if isinstance(node, ast.Name) and node.id in self.named:
            return self.named[node.id]
        text = ast.unparse(node)
        if isinstance(node, ast.Name) and node.id in LAYERS:
            raise ExpressionError(f"{text} needs its brackets: {text}()")
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            raise ExpressionError(f"expected a layer such as FC(64, 128), got {text}")
        name = node.func.id
        if name not in LAYERS:
            near = difflib.get_close_matches(name, LAYERS, 1, 0.5)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(LAYERS))}"
            raise ExpressionError(f"there is no layer {name}; {hint}")
        make = LAYERS[name]
        if make is Sequential and not node.keywords:
            return Sequential(*map(self.layer, node.args))
        arguments: list[Any] = [literal(argument) for argument in node.args]
        options = {str(keyword.arg): literal(keyword.value) for keyword in node.keywords}
        signature = inspect.signature(make)
        if "rng" in signature.parameters and self.rng is not None:
            options.setdefault("rng", self.rng)
        try:
            signature.bind(*arguments, **options)
            return make(*arguments, **options)
        except (TypeError, ValueError) as error:
            raise ExpressionError(f"{text}: {error}") from None
        except MemoryError:
            raise ExpressionError(f"{text}: too large for this machine's memory") from None


def literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        text = ast.unparse(node)
        raise ExpressionError(f"arguments must be literal numbers, words or True/False, got {text}") from None
