"""Formulas with the sizes in the place of the arrays: `upstream' x` is (H,B)(B,D) -> (H,D) = (3,2)(2,4) -> (3,4)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

from handgrad.tracing.formulas import TOKEN
from handgrad.tracing.text import Shape, size_text

Sizes: TypeAlias = dict[str, tuple[Shape, Shape | None]]
"""By the name of an array: its shape in numbers, and in letters if these are known."""


OPERATORS = ("+", "-", "*", "/", "**")


class Factor(NamedTuple):
    """An array in a formula, or what stands between arrays."""

    array: str
    transposed: bool = False
    text: str = ""


def sized(expression: str, result: str, sizes: Sizes, unknown: Iterable[str]) -> str:
    """The sizes in letters, where they are known, and in numbers. Of prose the operands are shown.

    `unknown` are the names of arrays that a formula may contain and whose sizes are not in `sizes`.
    """
    factors = _factors(expression, sizes)
    if factors is None:
        met = dict.fromkeys(token[1] for token in TOKEN.finditer(expression))
        operands = [] if met.keys() & set(unknown) else [name for name in met if name in sizes and name != result]
        factors = [part for name in operands for part in (Factor("", text=", "), Factor(name))][1:]
    texts = [_text(factors, result, sizes, in_letters) for in_letters in (True, False)]
    return " = ".join(dict.fromkeys(text for text in texts if text))


def _factors(expression: str, sizes: Sizes) -> list[Factor] | None:
    """The expression's arrays and what stands between them; None where it is prose."""
    factors: list[Factor] = []
    tokens = [token for token in TOKEN.finditer(expression) if token[0].strip()]
    i = 0
    while i < len(tokens):
        word, name = tokens[i][0], tokens[i][1]
        is_call = bool(name) and [token[0] for token in tokens[i + 1 : i + 2]] == ["("]
        if word == "(" or is_call:  # of the size of the largest array in it
            start, i = i, _closing(tokens, i + is_call)
            inside = [token[1] for token in tokens[start + is_call : i] if token[1]]
            if name == "sum" or any(x not in sizes for x in inside):
                return None
            if inside:
                factors.append(Factor(max(inside, key=lambda x: math.prod(map(int, sizes[x][0])))))
            else:
                factors.append(Factor("", text=expression[tokens[start].start() : tokens[i].end()]))
        elif name in sizes:
            factors.append(Factor(name, bool(tokens[i][2])))
        elif word[0].isdigit():
            factors.append(Factor("", text=word))
        elif word in OPERATORS:
            is_sign = not factors or factors[-1].text.endswith(" ")
            factors.append(Factor("", text=word if is_sign else f" {word} "))
        else:
            return None
        i += 1
    return factors


def _closing(tokens: Sequence[re.Match[str]], i: int) -> int:
    """Where the bracket that tokens[i] opens is closed."""
    depth = 0
    for k in range(i, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[k][0], 0)
        if depth == 0:
            return k
    return len(tokens) - 1


def _text(factors: Sequence[Factor], result: str, sizes: Sizes, in_letters: bool) -> str:
    """`(3,2)(2,4) -> (3,4)`; empty in letters when one is not known."""
    words = []
    for array, transposed, text in [*factors, Factor("", text=" -> "), Factor(result)]:
        shape = sizes[array][in_letters] if array else ()
        if shape is None:
            return ""
        if transposed and len(factors) > 1:
            shape = (*shape[:-2], *reversed(shape[-2:]))
        words.append(size_text(shape) if array else text)
    return "".join(words).removeprefix(" -> ")
