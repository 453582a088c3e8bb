"""What the command reads: numbers such as `1,-2,3,-1`, rows such as `1,2;3,4`, sizes such as `2x3`, a layer."""

from __future__ import annotations

import math
import re

import numpy as np

from handgrad import losses
from handgrad.expression import ExpressionError, parse_model
from handgrad.layers import Layer
from handgrad.losses import Loss
from handgrad.params import Array

LARGEST = 2**13
"""Entries of an input that is given by its sizes."""


def parse_layer(words: str, rng: np.random.Generator, what: str = "LAYER") -> Layer:
    """The layer, model or loss that the text `what` describes; one layer alone stays that layer."""
    loss = re.fullmatch(r"\s*(\w+)\s*\(\s*\)\s*", words)
    if loss and loss[1] in losses.__all__ and loss[1] != "Loss":
        made = getattr(losses, loss[1])()
        assert isinstance(made, Loss)
        return made
    try:
        model = parse_model(words, rng)
    except ExpressionError as error:
        raise ExpressionError(f"{what}: {error}") from None
    is_single = len(model.layers) == 1 and not words.lstrip().startswith("Sequential")
    return model.layers[0] if is_single else model


def parse_numbers(words: str, option: str) -> Array:
    """`1,-2,3,-1` as a vector, `1,2;3,4` as a matrix of two rows; ValueError for anything else."""
    rows = [_row(part, option, f" in row {i + 1}" if ";" in words else "") for i, part in enumerate(words.split(";"))]
    lengths = {len(row) for row in rows}
    if len(lengths) > 1:
        raise ValueError(
            f"{option}: rows must be of one length, got {', '.join(str(len(row)) for row in rows)} numbers"
        )
    return np.array(rows if len(rows) > 1 else rows[0])


def parse_input(words: str, rng: np.random.Generator) -> Array:
    """Numbers, or for sizes such as 2x3 random ones."""
    if not re.fullmatch(r"\s*\d+(x\d+)+\s*", words):
        return parse_numbers(words, "--input")
    shape = tuple(map(int, words.split("x")))
    if not 1 <= math.prod(shape) <= LARGEST or len(shape) > 32:
        raise ValueError(f"--input: sizes must make 1 to {LARGEST:,} entries, got {words.strip()}")
    return random_numbers(shape, rng)


def parse_labels(words: str) -> Array:
    """Numbers; class numbers where all of them are whole."""
    numbers = parse_numbers(words, "--labels")
    return numbers.astype(np.int64) if np.all(np.abs(numbers) < 2**53) and np.all(numbers % 1 == 0) else numbers


def random_numbers(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Of one decimal, of both signs and not 0, where ReLU has its kink."""
    return np.asarray(rng.integers(1, 20, shape) * rng.choice([-0.1, 0.1], shape)).round(1)


def _row(words: str, option: str, where: str) -> list[float]:
    numbers = []
    for place, word in enumerate(words.split(","), 1):
        try:
            number = float(word) if "_" not in word else math.nan
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise ValueError(
                f"{option}: expected finite numbers such as 1,-2,3,-1 or rows such as '1,2;3,4', "
                f"got {word.strip()!r} as number {place}{where}"
            )
        numbers.append(number)
    return numbers
