"""The formulas that a layer's docstring states, in the one style of all layers:

    forward     y  = x W' + b           x [B x in] -> y [B x out]
    backward    dx = upstream W         [B x in]
                dW = upstream' x        [out x in]

A layer of the user's own that keeps to it is shown with its formulas, too.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from handgrad.layers import Layer, Param

SHAPE = re.compile(r"(\w+) \[([\w.]+(?: x [\w.]+)*)\]")
"""A shape such as `x [B x in]` in a remark."""

TOKEN = re.compile(r"([A-Za-z_]\w*)('(?!\w))?|\d[\d.]*|\*\*|[^\s\w]|\s+")
"""A name, transposed or not; a number; an operator."""


class Formula(NamedTuple):
    """One line: what is computed, how, and the remark behind it."""

    result: str
    expression: str
    remark: str


def formulas_of(layer: Layer) -> dict[str, list[Formula]]:
    """The formulas of "forward" and "backward"; none where the docstring has none."""
    owner = next((cls for cls in type(layer).__mro__ if "backward" in vars(cls)), type(layer))
    found: dict[str, list[Formula]] = {"forward": [], "backward": [], "predict": []}
    section = ""
    for line in map(str.strip, (owner.__doc__ or "").splitlines()):
        begun = re.match(r"(forward|backward|predict)\s+(.*)", line)
        if begun:
            section, line = begun.groups()
        elif not line:
            section = ""
        parts = re.fullmatch(r"(\w+)\s*=\s*(.+?)(?:\s{2,}(.*))?", line)
        if section and parts:
            found[section].append(Formula(parts[1], _as_made(parts[2], layer), parts[3] or ""))
    absent = {f"d{name}" for name in _declared(layer) if name not in layer.params}
    found["backward"] = [formula for formula in found["backward"] if formula.result not in absent]
    return found


def shapes_of(layer: Layer) -> dict[str, list[str]]:
    """The shapes in letters that the forward formulas' remarks and the parameters' declarations state."""
    shapes: dict[str, list[str]] = {}
    for formula in formulas_of(layer)["forward"]:
        for name, axes in SHAPE.findall(formula.remark):
            shapes.setdefault(name, axes.split(" x "))
    for name, declared in _declared(layer).items():
        if name in layer.params and (stated := SHAPE.search(f"{name} {(declared.__doc__ or '')[len('Parameter ') :]}")):
            shapes[name] = stated[2].split(" x ")
    return shapes


def is_elementwise(layer: Layer) -> bool:
    """Whether the docstring's first line says so."""
    return "elementwise" in (type(layer).__doc__ or "").partition("\n")[0]


def input_names(layer: Layer, count: int) -> list[str]:
    """What `forward` calls its inputs; `*xs` are x1, x2, ..."""
    names: list[str] = []
    for parameter in inspect.signature(layer.forward).parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            stem = parameter.name.removesuffix("s")
            names += [f"{stem}{k}" for k in range(1, count - len(names) + 1)]
        else:
            names.append(parameter.name)
    return names[:count]


def spread(formula: Formula, names: Sequence[str]) -> list[Formula]:
    """`[x1, x2, ...]` with all inputs, and for `dxi` a formula for each: a docstring may tell of any number."""
    expression = re.sub(r"\w+1, \w+2, \.\.\.", ", ".join(names), formula.expression)
    stem = formula.result.removeprefix("d").removesuffix("i")
    if formula.result != f"d{stem}i" or f"{stem}1" not in names:
        return [formula._replace(expression=expression)]
    return [Formula(f"d{name}", substituted(expression, {f"{stem}i": name}), formula.remark) for name in names]


def substituted(expression: str, names: Mapping[str, str]) -> str:
    """The expression with other names: those of the graph for the layer's own."""
    return TOKEN.sub(
        lambda token: names.get(token[1], token[1]) + (token[2] or "") if token[1] else token[0], expression
    )


def _as_made(expression: str, layer: Layer) -> str:
    """The expression without a parameter that this layer was made without."""
    for name in _declared(layer):
        if name not in layer.params:
            expression = re.sub(rf" \+ {name}\b", "", expression)
    return expression


def _declared(layer: Layer) -> dict[str, Param]:
    return {name: value for cls in type(layer).__mro__ for name, value in vars(cls).items() if isinstance(value, Param)}
