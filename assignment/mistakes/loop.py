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
from handgrad.divergence import first_nonfinite
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
        **{
            f"x times {factor}": f"x is {how} before the model sees it: it takes the batch as it comes"
            for factor, how in ((1 / 255, "divided by 255"), (1 / 256, "divided by 256"), (255, "multiplied by 255"))
        },
        **dict.fromkeys(
            (
                "x standardised",
                "x standardised by columns",
                "x less its mean",
                "x less its mean by columns",
                "x by its largest",
            ),
            "x is scaled or shifted before the model sees it: it takes the batch as it comes",
        ),
        "x overwritten": "x is given another value, the scores: later lines use the batch under that name",
        "predict": "scores are those of model.predict, which keeps no cache for backward: model.forward(x)",
        "loss's predict": (
            "the loss is that of loss.predict or of evaluate, which keep no cache: loss.forward(scores, y)"
        ),
        **dict.fromkeys(
            ("accuracy", "accuracy beside the loss", "accuracy of likeliest", "accuracy of likeliest beside the loss"),
            "run.value is the accuracy: it is the loss, loss.forward(scores, y)",
        ),
        **dict.fromkeys(
            ("hits", "hits beside the loss", "share of hits", "share of hits beside the loss"),
            "run.value counts what is right: it is the loss, loss.forward(scores, y)",
        ),
        "value after": "run.value is calculated anew after the step: it stays the loss of the forward step before it",
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
        **dict.fromkeys(
            ("odd steps left out", "even steps left out"),
            "the optimizer steps at every second batch only: it takes one step for each",
        ),
        "stops at a rise": "the run is stopped where the loss rises: it goes on to the last batch",
        "stops at a fall": "the run is stopped where the loss falls: it goes on to the last batch",
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
            scores = forward(kept["x"] if mistake == "first batch" else _scaled(mistake, x))
            _set_value(mistake, run, kept, x, y, scores)
            if mistake == "x overwritten":
                x = scores
            if not math.isfinite(run.value):
                raise NonFiniteLoss(first_nonfinite(model, x, run.grads), history)
            grads = _gradients(mistake, run, kept, y, scores)
            is_left_out = {
                "no step for the last": number == len(shuffled) - 1,
                "old grads, first step left out": run.step == 0,
                "even steps left out": run.step % 2 == 0,
                "odd steps left out": run.step % 2 == 1,
            }
            if not is_left_out.get(mistake):
                _step(mistake, run, grads)
            if mistake == "value after":
                run.value = loss.forward(model.forward(x), y)
            if mistake.startswith("stops at ") and history.step_loss:
                rise = run.value - history.step_loss[-1]
                run.stop = "it is stopped" if (rise if mistake == "stops at a rise" else -rise) > 0 else run.stop
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


def _scaled(mistake: str, x: Array) -> Array:
    """What the model is given, where x is scaled or shifted first."""
    if mistake.startswith("x times "):
        return np.asarray(x * float(mistake.rpartition(" ")[2]))
    if mistake == "x by its largest":
        return np.asarray(x / x.max())
    axis = 0 if mistake.endswith(" by columns") else None
    if mistake.startswith("x less its mean"):
        return np.asarray(x - x.mean(axis))
    return np.asarray((x - x.mean(axis)) / x.std(axis)) if mistake.startswith("x standardised") else x


def _right(mistake: str, loss: Any, scores: Array, y: Array) -> float:
    """What stands for the loss where what is right is counted."""
    mistake = mistake.removesuffix(" beside the loss")
    if mistake in ("hits", "share of hits"):
        return float(loss.hits(scores, y) / (len(y) if mistake == "share of hits" else 1))
    return float(np.mean(scores.argmax(axis=1) == (y if mistake == "accuracy" else y.argmax(axis=1))))


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
    counts = mistake.startswith(("accuracy", "hits", "share of hits"))
    is_unseen = mistake == "loss's predict" or (counts and not mistake.endswith(" beside the loss"))
    value = (run.loss.predict if is_unseen else run.loss.forward)(*handed)
    if counts:
        value = _right(mistake, run.loss, scores, y)
    kept.update(scores=scores.copy(), y=y.copy())
    kept["total"] += value
    first = kept.setdefault("value", value)
    factors = {"value summed": float(len(x)), "value averaged": 1 / len(x), "negative": -1.0}
    value = {"value kept": first, "value total": kept["total"]}.get(mistake, value * factors.get(mistake, 1.0))
    if mistake != "value unset":
        run.value = value


def _gradients(mistake: str, run: Any, kept: dict[str, Any], y: Array, scores: Array) -> Mapping[str, Array]:
    """The gradients that the optimizer is handed, or what the mistake makes of them."""
    upstream = _slope(run.loss, scores, y) * (run.value if mistake == "times value" else 1.0)
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


def _slope(loss: WatchedLoss, scores: Array, y: Array) -> Array:
    """The toy's gradient: `fixed`, or the derivative of mean |scores - labels|^3 as it has seen them last, if ever."""
    if loss.fixed is not None:
        return loss.fixed[: loss.rows]
    off = loss.seen.get("scores", scores) - loss.seen.get("labels", y)
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
