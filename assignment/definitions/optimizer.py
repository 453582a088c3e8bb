"""What an optimizer's steps give: the solution of the equations of all of them at once.

With the velocity v, 0 at first, the decay d and the gradient G of a step:

    v = momentum * v_before + G + d * W_before
    W = W_before - lr * v           with nesterov:  W = W_before - lr * (G + d * W_before + momentum * v)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from handgrad.assignment.probes import Probe
from handgrad.assignment.probes.probe import Step
from handgrad.params import Array


def answer(probe: Probe, script: Sequence[Step]) -> dict[str, Array]:
    arrays = {name: a.astype(float) for name, a in probe.arrays.items()}
    names = [name[2:] for name in arrays if name.startswith("w ")]
    options: dict[str, dict[str, Any]] = {}
    steps: dict[str, list[tuple[float, int]]] = {}
    results: dict[str, Array] = {}
    for word, a, *rest in script:
        if word == "make":
            options[a], steps[a] = dict(rest[0]), []
        elif word == "set":
            options[a][rest[0]] = rest[1]
        elif word == "step":
            steps[a].append((options[a]["lr"], rest[0]))
        elif word in ("report", "held"):
            suffix = rest[0] if word == "report" else " in place"
            results.update({name + suffix: _stepped(name, arrays, options[a], steps[a]) for name in names})
        elif word == "after":
            results.update({f"gradient of {name} afterwards": arrays[f"g{rest[0]} {name}"] for name in names})
    return results


def _stepped(
    name: str, arrays: Mapping[str, Array], options: Mapping[str, Any], steps: Sequence[tuple[float, int]]
) -> Array:
    """The parameter after the steps, each (learning rate, number of its gradient).

    The unknowns are W and v after each step, two rows of equations a step; each entry is a right-hand side.
    """
    start = arrays[f"w {name}"]
    count, momentum, decay = len(steps), options.get("momentum", 0.0), _decay(name, start, options)
    nesterov = options.get("nesterov", False)
    equations, right = np.zeros((2 * count, 2 * count)), np.zeros((2 * count, start.size))
    for t, (lr, number) in enumerate(steps):
        W, v, gradient = 2 * t, 2 * t + 1, arrays[f"g{number} {name}"].ravel()
        kept = 1 - lr * decay if nesterov else 1.0
        equations[v, v] = equations[W, W] = 1
        equations[W, v] = lr * (momentum if nesterov else 1)
        right[v] = gradient
        right[W] = -lr * gradient if nesterov else 0
        if t:
            equations[v, v - 2], equations[v, W - 2] = -momentum, -decay
            equations[W, W - 2] = -kept
        else:
            right[v] += decay * start.ravel()
            right[W] += kept * start.ravel()
    solution: Array = np.linalg.solve(equations, right)
    return np.asarray(solution[-2].reshape(start.shape))


def _decay(name: str, start: Array, options: Mapping[str, Any]) -> float:
    """The parameter's own: by default only those of two or more dimensions decay."""
    which = options.get("decay", "weights")
    decays = start.ndim > 1 if which == "weights" else which == "all" or name in which
    return float(options.get("weight_decay", 0.0)) if decays else 0.0
