"""Mistakes in the three steps of the training loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import scipy.special

from handgrad.assignment.probes.toys import WatchedLoss
from handgrad.data import batches
from handgrad.history import History
from handgrad.params import Array

OLD_GRADS = "the update uses the gradients of the batch before: backward comes first, then the update"
FIRST_BATCH = "the first batch is used at every step: model and loss take the step's own x and y"

MISTAKES: dict[str, dict[str, str]] = {
    "train.forward": {
        "swapped": "scores and labels are swapped: loss.forward(scores, y)",
        "loss of x": "the loss is given the batch's x rather than the model's scores",
        "labels as scores": "the loss is given the labels as scores",
        "softmax": "the scores go through a softmax before the loss, which has its own: the loss takes the scores",
        "sigmoid": "the scores go through a sigmoid before the loss: the loss takes the scores",
        "argmax": "the loss is given the likeliest classes; it takes the scores themselves",
        "old scores": "the loss is given the scores of the batch before",
        "old labels": "the loss is given the labels of the batch before",
        "first batch": "the model is given the first batch again and again",
        "first batch for both": FIRST_BATCH,
        "predict": "scores are those of model.predict, which keeps no cache for backward: model.forward(x)",
        "loss's predict": "the loss is that of loss.predict, which keeps no cache: loss.forward(scores, y)",
        "value unset": "run.value is not set to the loss",
        "value kept": "run.value stays the first batch's loss",
        "value summed": "run.value is the sum over the batch; the loss is a mean already",
        "value averaged": "run.value is divided by the batch size; the loss is a mean already",
        "value total": "run.value is the sum of all losses so far; it is this batch's",
        "negative": "run.value has the wrong sign",
    },
    "train.update": {
        "first batch for both": FIRST_BATCH,
        "no update": "the optimizer takes no step: optimizer.step(grads)",
        "no step for the last": "the last batch is left out",
        "twice": "the optimizer takes two steps for each batch",
        "old grads": OLD_GRADS,
        "old grads, its own noted": OLD_GRADS,
        "old grads, first step left out": OLD_GRADS,
        "first grads": "the update uses the first batch's gradients again and again",
        "summed grads": "gradients of earlier batches are added: each step takes those of its own batch",
        "upstream scores": "backward is given the scores; its upstream is dL/dscores, loss.backward()",
        "upstream y": "backward is given the labels; its upstream is dL/dscores, loss.backward()",
        "upstream off": "backward is given scores - y; its upstream is dL/dscores, loss.backward()",
        "upstream ones": "backward is given ones; its upstream is dL/dscores, loss.backward()",
        "upstream value": "backward is given the loss itself; its upstream is dL/dscores, loss.backward()",
        "upstream one value": "backward is given the loss itself; its upstream is dL/dscores, loss.backward()",
        "times value": "loss.backward is given the loss's value; its upstream is 1, the default",
        "averaged": "the gradients are divided by the batch size; the 1/B stands in the loss only",
        "summed": "the gradients are multiplied by the batch size; the mean is what the loss is",
        "negative": "the gradients' sign is wrong: the optimizer takes dL/dW as it is",
        "times lr": "the gradients are multiplied by lr; the optimizer does that",
        "own update": "the parameters are updated by hand rather than by the optimizer: optimizer.step(grads)",
        "own update and step": "the parameters are updated by hand as well as by the optimizer",
        "grads unset": "grads is not what backward returned for this batch, or is empty",
        "upstream averaged": "dL/dscores is divided by the batch size; loss.backward has the 1/B already",
        "upstream summed": "dL/dscores is multiplied by the batch size; the mean is what the loss is, 1/B stays",
        "upstream negative": "the sign of dL/dscores is wrong; backward is given what loss.backward() gives",
        "upstream doubled": "dL/dscores is multiplied by 2; backward is given what loss.backward() gives",
        **{
            f"clipped{unseen} {most}": f"gradients are clipped at {most} and -{most}: the optimizer takes them whole"
            for most in (1, 0.5, 0.1)
            for unseen in ("", " for the step")
        },
        "old upstream": "backward is given the dL/dscores of the batch before",
    },
}


def code(mistake: str, part: str) -> Callable[..., Any]:
    """The loop that makes the mistake."""
    return partial(_train, mistake)


def _train(
    mistake: str,
    model: Any,
    loss: Any,
    optimizer: Any,
    data: tuple[Array, Array],
    *,
    callbacks: Sequence[Any],
    epochs: int,
    batch_size: int,
    rng: int,
    **others: Any,
) -> History:
    from handgrad.train import NonFiniteLoss, Run

    history = History()
    run = Run(model, loss, optimizer, history, epochs)
    for callback in callbacks:
        callback.on_start(run)
    shuffled = batches(*data, batch_size, rng=np.random.default_rng(rng), dtype=model.dtype)
    kept: dict[str, Any] = {"total": 0.0}
    for _ in range(epochs):
        rows, total, hits = 0, 0.0, 0
        for number, (x, y) in enumerate(shuffled):
            kept.setdefault("x", x.copy())
            kept.setdefault("labels", y.copy())
            if mistake == "first batch for both":
                x, y = kept["x"], kept["labels"]
            forward = model.predict if mistake == "predict" else model.forward
            scores = forward(kept["x"] if mistake == "first batch" else x)
            _set_value(mistake, run, kept, x, y, scores)
            if not math.isfinite(run.value):
                raise NonFiniteLoss("", history)
            grads = _gradients(mistake, run, kept, y, scores)
            is_left_out = {
                "no step for the last": number == len(shuffled) - 1,
                "old grads, first step left out": run.step == 0,
            }
            if not is_left_out.get(mistake):
                _step(mistake, run, grads)
            run.step, run.x, run.y = run.step + 1, x, y
            run.grads = kept["grads"] if mistake.startswith("old grads, ") else grads
            history.step_loss.append(run.value)
            rows, total = rows + len(x), total + run.value * len(x)
            hits += loss.hits(scores, y)
            for callback in callbacks:
                callback.on_step(run)
            if run.stop:
                break
        history.loss.append(total / rows)
        history.accuracy.append(hits / rows)
        if run.stop:
            break
    return history


def _set_value(mistake: str, run: Any, kept: dict[str, Any], x: Array, y: Array, scores: Array) -> None:
    """Sets run.value, or what the mistake makes of it."""
    handed = {
        "swapped": (y, scores),
        "loss of x": (x, y),
        "labels as scores": (y, y),
        "softmax": (scipy.special.softmax(scores, axis=1), y),
        "sigmoid": (scipy.special.expit(scores), y),
        "argmax": (scores.argmax(axis=1), y),
        "old scores": (kept.get("scores", scores), y),
        "old labels": (scores, kept.get("y", y)),
    }.get(mistake, (scores, y))
    value = (run.loss.predict if mistake == "loss's predict" else run.loss.forward)(*handed)
    kept.update(scores=scores.copy(), y=y.copy())
    kept["total"] += value
    first = kept.setdefault("value", value)
    factors = {"value summed": float(len(x)), "value averaged": 1 / len(x), "negative": -1.0}
    value = {"value kept": first, "value total": kept["total"]}.get(mistake, value * factors.get(mistake, 1.0))
    if mistake != "value unset":
        run.value = value


def _gradients(mistake: str, run: Any, kept: dict[str, Any], y: Array, scores: Array) -> Mapping[str, Array]:
    """The gradients that the optimizer is handed, or what the mistake makes of them."""
    upstream = _slope(run.loss) * (run.value if mistake == "times value" else 1.0)
    handed = {
        "upstream scores": scores,
        "upstream y": y,
        "upstream off": scores - y,
        "upstream ones": np.ones_like(scores),
        "upstream value": np.full_like(scores, run.value),
        "upstream one value": np.full(len(y), run.value)[0],
        "old upstream": kept.get("upstream", upstream),
        "upstream averaged": upstream / len(y),
        "upstream summed": upstream * len(y),
        "upstream negative": -upstream,
        "upstream doubled": upstream * 2,
    }.get(mistake, upstream)
    kept["upstream"] = upstream.copy()
    _, grads = run.model.backward(handed[: len(y)] if np.ndim(handed) else handed)
    before, first = kept.get("grads", grads), kept.setdefault("first", grads)
    kept["grads"] = grads
    if mistake == "summed grads":
        kept["sum"] = {name: g + kept.get("sum", {}).get(name, 0) for name, g in grads.items()}
        return dict(kept["sum"])
    if mistake.startswith("old grads") or mistake == "first grads":
        return dict(first if mistake == "first grads" else before)
    if mistake == "grads unset":
        return {}
    if mistake.startswith("clipped ") and "for the step" not in mistake:
        return _clipped(mistake, grads)
    rows = len(y)
    lr = run.optimizer.lr
    factor = {"averaged": 1 / rows, "summed": float(rows), "negative": -1.0, "times lr": lr}.get(mistake)
    return grads if factor is None else {name: g * factor for name, g in grads.items()}


def _slope(loss: WatchedLoss) -> Array:
    """The toy's gradient: `fixed`, or the derivative of mean |scores - labels|^3 as it has seen them last."""
    if loss.fixed is not None:
        return loss.fixed[: loss.rows]
    off = loss.seen["scores"] - loss.seen["labels"]
    return np.asarray(np.sign(off) * off**2 * (3 / off.size))


def _clipped(mistake: str, grads: Mapping[str, Array]) -> dict[str, Array]:
    most = float(mistake.rpartition(" ")[2])
    return {name: np.clip(g, -most, most) for name, g in grads.items()}


def _step(mistake: str, run: Any, grads: Mapping[str, Array]) -> None:
    if mistake.startswith("clipped for the step "):
        grads = _clipped(mistake, grads)
    if mistake.startswith("own update"):
        for name, w in run.model.params.items():
            w -= run.optimizer.lr * grads[name]
    if mistake not in ("no update", "own update"):
        run.optimizer.step(grads)
    if mistake == "twice":
        run.optimizer.step(grads)
