"""View 3: the chain rule written out (L08, L18): dL/dx as the sum, over all paths, of products of local derivatives."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, TypeAlias

from handgrad.params import Array
from handgrad.tracing.recording import Recording, Value
from handgrad.tracing.text import array_text, entries_text, number_text, table

MOST_PATHS = 8
"""More are counted, not written."""
LONGEST_PATH = 12
"""Factors; of a longer path the middle is left out."""

Path: TypeAlias = "tuple[Value, Path] | None"
"""The values from one on to the output."""


def chain_rule(recording: Recording) -> str:
    """A line for each input and parameter."""
    count = {recording.output: 1}
    paths: dict[Value, list[Path]] = {recording.output: [(recording.output, None)]}
    for value in reversed(recording.values):
        if value is not recording.output:
            users = _users(value)
            count[value] = sum(count[user] for user in users)
            few = count[value] <= MOST_PATHS
            paths[value] = [(value, path) for user in users for path in paths[user]] if few else []
    rows: list[tuple[str, ...]] = []
    for value in recording.values:
        if value.layer is None and value.gradient is not None:
            left = recording.derivative(value)
            if count[value] > MOST_PATHS:
                number = f"{count[value]:,}" if count[value] < 1e15 else "more than 1e15"
                parts = [f"the sum over {number} paths from {recording.output.name} to {value.name}"]
            else:
                parts = _written_out(recording, paths[value])
            parts.append(entries_text(value.gradient))
            rows.append((left, " ".join(f"= {part}" for part in parts if part not in ("", left))))
    if any(count[value] > 1 for value in recording.values):
        rows.insert(0, ("summed over all paths; each factor is one layer's own derivative, other inputs held fixed",))
    return table(rows)


def _written_out(recording: Recording, paths: list[Path]) -> list[str]:
    """The sum of products in symbols; in numbers, too, where all values on the way are single numbers."""
    if not paths:
        return []
    products = [list(_factors(recording, path)) for path in paths]
    parts = [" + ".join(" ".join(_shortened([symbol for symbol, _ in factors])) for factors in products)]
    longest = max(map(len, products))
    if 1 < longest <= LONGEST_PATH and all(local is not None for factors in products for _, local in factors):
        parts.append(" + ".join("".join(_factor_text(local) for _, local in factors) for factors in products))
    return parts


def _factors(recording: Recording, path: Path) -> Iterator[tuple[str, Array | None]]:
    """The local derivatives from the output on, in symbols and as arrays; None where it is a matrix or larger."""
    values: list[Value] = []
    while path is not None:
        value, path = path
        values.append(value)
    if recording.upstream_is_given:
        gradient = recording.output.gradient
        is_number = gradient is not None and gradient.size == 1
        yield recording.derivative(recording.output), gradient if is_number else None
    for user, value in itertools.pairwise(reversed(values)):
        local = [use.local for use in value.uses if use.target is user and use.local is not None]
        yield f"d{user.name}/d{value.name}", sum(local[1:], local[0]) if local else None  # two of them in x * x


def _shortened(symbols: list[str]) -> list[str]:
    half = LONGEST_PATH // 2
    return symbols if len(symbols) <= LONGEST_PATH else [*symbols[:half], "...", *symbols[-half:]]


def _factor_text(local: Any) -> str:
    text = number_text(local.item()) if local.size == 1 else array_text(local)
    return text if text.startswith(("[", "(")) else f"({text})"


def _users(value: Value) -> list[Value]:
    """The steps that take the value and hand a gradient back to it."""
    return list(dict.fromkeys(use.target for use in value.uses if use.gradient is not None))
