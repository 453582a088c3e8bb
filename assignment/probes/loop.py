"""What is asked of the training loop: `train` with a toy model, loss and optimizer that note what they are handed.

`options` go to train, but "nan_at" (the call of the loss that gives NaN) and "stop_at" (the step a callback stops
after). Arrays: x, y (the data), k and columns (the model's), and for "run fixed" upstream and inputs. Steps:

    run forward         what reached model and loss at each step, and the losses
    run update          what reached backward and the optimizer at each step, and the parameters at the end
    first forward       the same as "run forward" for the first batch alone, whatever happens after
    try fixed           the same as "run update", whatever forward's lines raise or leave: with gradients that do not
                        depend on what reached model and loss
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from numpy import array as new_array
from numpy import asarray

from handgrad.assignment.probes.guarded import FORWARD_ALONE, UPDATE_ALONE, guarded
from handgrad.assignment.probes.probe import Probe, Step, taken
from handgrad.assignment.probes.toys import LEARNING_RATE, Watched, WatchedLoss, WatchedOptimizer
from handgrad.params import Array

GUARDS = {"first": FORWARD_ALONE, "try": UPDATE_ALONE}


def run(probe: Probe, script: Sequence[Step], code: Any = None) -> dict[str, Array]:
    """The results of the script's only step by name."""
    ((how, what),) = script
    module = import_module(f"handgrad.{probe.module}")
    held = {name: array.copy() for name, array in probe.arrays.items()}
    options = dict(probe.options)
    nan_at, stop_at = options.pop("nan_at", 0), options.pop("stop_at", 0)
    is_fixed = what == "fixed"
    guard = GUARDS.get(how) if code is None else None
    train = code or (guarded(module, probe.name, guard) if guard else getattr(module, probe.name))
    model = Watched(held["k"], held["columns"], held["inputs"] if is_fixed else None)
    loss = WatchedLoss(nan_at, held["upstream"] if is_fixed else None)
    optimizer = WatchedOptimizer(model.params, LEARNING_RATE)
    params = {name: asarray(array) for name, array in model.params.items()}
    results: dict[str, Array] = {}
    runs: list[Any] = []

    def note(place: str) -> None:
        run = runs[0]
        if what == "forward":
            seen = {**model.seen, **loss.seen, **loss.of_forward, "run.value": run.value}
            names = ["x", "scores", "labels", "run.value"]
        else:
            seen = {"upstream": model.seen.get("upstream"), "steps of the optimizer": getattr(optimizer, "steps", 0)}
            seen |= {f"gradient of {name}": g for name, g in getattr(optimizer, "seen", {}).items()}
            seen |= {f"run.grads {name}": g for name, g in (run.grads or {}).items()}
            seen |= {f"parameter {name}": p for name, p in params.items()}
            seen["optimizer.lr"] = optimizer.lr
            names = list(seen)
        results.update({f"{name} {place}": taken(seen[name], name) for name in names if seen.get(name) is not None})

    class Notes(module.Callback):  # type: ignore[misc, name-defined]
        def on_start(self, run: Any) -> None:
            runs.append(run)
            if what != "forward":
                run.value = 0.0  # the loop goes on where forward does not set it

        def on_step(self, run: Any) -> None:
            note(f"at step {run.step}")
            if run.step == stop_at:
                run.stop = "enough"

    try:
        history = train(model, loss, optimizer, (held["x"], held["y"]), callbacks=[Notes()], progress=False, **options)
    except module.NonFiniteLoss as error:
        history = error.history
        results["stopped by a loss that is not finite"] = new_array(1.0)
    except Exception:
        if how == "first" and (loss.of_forward if code is None else loss.seen):
            note("at step 1")
            return results
        raise
    if how == "first":
        is_stopped = nan_at == 1
        return {
            n: a for n, a in results.items() if n.endswith(" at step 1") or (is_stopped and n.startswith("stopped"))
        }
    if what == "forward":
        results["losses of the steps"] = taken(history.step_loss, "history.step_loss")
        if "nan_at" not in probe.options:
            results["losses of the epochs"] = taken(history.loss, "history.loss")
            results["accuracies of the epochs"] = taken(history.accuracy, "history.accuracy")
    else:
        results.update({f"parameter {name} at the end": taken(p, name) for name, p in params.items()})
    results["x afterwards"], results["y afterwards"] = held["x"], held["y"]
    return results
