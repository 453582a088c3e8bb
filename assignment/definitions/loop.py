"""What a run of the training loop gives with the probes' toys: what each step must see, and the parameters after it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from handgrad.assignment.definitions.toys import derivative, mean_cube, pick
from handgrad.assignment.probes import Probe
from handgrad.assignment.probes.probe import Step
from handgrad.assignment.probes.toys import LEARNING_RATE
from handgrad.data import batches
from handgrad.params import Array


def answer(probe: Probe, script: Sequence[Step]) -> dict[str, Array]:
    ((how, what),) = script
    first, fixed = how == "first", what == "fixed"
    options, arrays = probe.options, probe.arrays
    k, columns = arrays["k"], arrays["columns"]
    order = batches(arrays["x"], arrays["y"], options["batch_size"], rng=options["rng"], dtype=k.dtype)
    results: dict[str, Array] = {}
    losses: list[float] = []
    epochs: list[tuple[float, float]] = []
    is_stopped, is_over = False, False
    for _ in range(options["epochs"]):
        rows, total, hits = 0, 0.0, 0
        for x, y in order:
            scores = pick(x, k, columns)
            value = float(mean_cube(scores, y))
            if len(losses) + 1 == options.get("nan_at") and not fixed:
                is_stopped = is_over = True
                break
            upstream = derivative(partial(mean_cube, labels=y), scores)
            if fixed:
                upstream, x_seen = arrays["upstream"][: len(x)], arrays["inputs"][: len(x)]
            else:
                x_seen = x
            dk = derivative(partial(pick, x_seen, columns=columns), k, upstream)
            k = k / 2 + dk / 64
            losses.append(value)
            rows, total = rows + len(x), total + value * len(x)
            hits += int(np.count_nonzero(scores[:, 0] * y[:, 0] > 0))
            seen: dict[str, Any]
            if what == "forward":
                seen = {"x": x, "scores": scores, "labels": y, "run.value": value}
            else:
                seen = {"upstream": upstream, "steps of the optimizer": len(losses)}
                seen |= {"gradient of k": dk, "run.grads k": dk, "parameter k": k}
                seen["optimizer.lr"] = LEARNING_RATE
            results.update({f"{name} at step {len(losses)}": np.array(value) for name, value in seen.items()})
            is_over = len(losses) == options.get("stop_at")
            if is_over:
                break
        if not is_stopped:
            epochs.append((total / rows, hits / rows))
        if is_over:
            break
    if is_stopped:
        results["stopped by a loss that is not finite"] = np.array(1.0)
    if first:
        keep = options.get("nan_at") == 1
        return {n: a for n, a in results.items() if n.endswith(" at step 1") or (keep and n.startswith("stopped"))}
    if what == "forward":
        results["losses of the steps"] = np.array(losses)
        if "nan_at" not in options:
            results["losses of the epochs"] = np.array([loss for loss, _ in epochs])
            results["accuracies of the epochs"] = np.array([accuracy for _, accuracy in epochs])
    else:
        results["parameter k at the end"] = k
    return {**results, "x afterwards": arrays["x"], "y afterwards": arrays["y"]}
