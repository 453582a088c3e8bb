"""What a mistaken layer computes, as a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

Formula: TypeAlias = Callable[..., Any]
"""(parameters, *inputs) -> what a mistaken forward gives; (parameters, upstream, *inputs) -> what a backward does."""


def only(condition: Any, value: Any) -> Any:
    """The value where the mistake can be made at all."""
    if not condition:
        raise ValueError("the mistake cannot be made at these sizes")
    return value
