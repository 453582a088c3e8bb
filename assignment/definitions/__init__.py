"""What a probe's answer must be, by definition: values from formulas, gradients by complex steps, updates as equations.

Nothing is stored, and nothing is computed the way a student is to compute it.
"""

from __future__ import annotations

from importlib import import_module

from handgrad.assignment.probes import MOVED, Probe
from handgrad.params import Array


def answers(probe: Probe) -> list[dict[str, Array]]:
    """For each attempt that may count, every result by name. ValueError for a layer's probe."""
    if probe.kind not in ("container", "optimizer", "loop"):
        raise ValueError(f"a probe of the kind {probe.kind!r} has no definition here")
    module = import_module(f"handgrad.assignment.definitions.{probe.kind}")
    return [module.answer(probe, script) for kind, script in probe.attempts() if kind != MOVED]
