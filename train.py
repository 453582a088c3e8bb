"""The train loop: forward, backward, update, on mini-batches."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from handgrad.data import Batches, Dataset, batches
from handgrad.divergence import first_nonfinite
from handgrad.history import History
from handgrad.layers import Layer, Workspace
from handgrad.losses import Loss
from handgrad.optim import SGD
from handgrad.params import Array, Grads
from handgrad.progress import Progress
from handgrad.threads import Threads

Data: TypeAlias = Dataset | tuple[npt.ArrayLike, npt.ArrayLike]
"""A data set, or simply (x, y)."""


class NonFiniteLoss(FloatingPointError):
    """The loss became NaN or infinite; the message says where first. `history` holds the run up to there."""

    def __init__(self, message: str, history: History) -> None:
        super().__init__(message)
        self.history = history


@dataclass
class Run:
    """A run of `train` as its callbacks see it. The arrays belong to the loop: copy what you keep."""

    model: Layer
    loss: Loss
    optimizer: SGD
    history: History
    epochs: int
    epoch: int = 0
    """The number of this epoch, from 1."""
    step: int = 0
    """The number of steps done since the start of the run."""
    x: Any = None
    y: Any = None
    """The last mini-batch."""
    value: float = math.nan
    """Its loss."""
    grads: Any = None
    """Its gradients by name."""
    stop: str = ""
    """Set it to a reason, and the run ends after this step."""


class Callback:
    """What `train` calls beside its three steps: override any. A plain function serves as `on_epoch`."""

    def on_start(self, run: Run) -> None:
        """Before the first step."""

    def on_step(self, run: Run) -> None:
        """After each update."""

    def on_epoch(self, run: Run) -> None:
        """After each epoch and its validation."""


class Evaluation(NamedTuple):
    loss: float
    accuracy: float | None
    """The share of rows classified right; None for a loss that classifies nothing."""


def train(
    model: Layer,
    loss: Loss,
    optimizer: SGD,
    data: Data,
    *,
    epochs: int = 10,
    batch_size: int = 64,
    validation: Data | None = None,
    shuffle: bool = True,
    rng: np.random.Generator | int | None = None,
    callbacks: Iterable[Callback | Callable[[Run], Any]] = (),
    progress: bool = True,
    threads: int | None = None,
) -> History:
    """Trains `model` in place by mini-batch gradient descent (L07) and returns the history of its losses.

    `data` and `validation` are a Dataset or (x, y). `rng` (a generator or a seed) shuffles the rows anew each
    epoch; with `shuffle=False` they come in their stored order. Ctrl-C ends the run after the step at hand; history
    and weights are kept. A loss that is not finite ends it with NonFiniteLoss, which says in which layer, direction
    and parameter that began.

    `threads` is the number of threads that NumPy's BLAS computes products with. By default one for small products;
    for large ones as many as it is set to, unless other processes keep the cores busy. That choice may change the
    last bits of a result: a given number makes runs of one seed equal to the bit on a busy machine, too.
    """
    for what, value, kind in (("model", model, Layer), ("loss", loss, Loss), ("optimizer", optimizer, SGD)):
        if not isinstance(value, kind):
            mend = f"; write {value.__name__}(...)" if isinstance(value, type) else ""
            raise TypeError(f"train: {what} must be a {kind.__name__}, got {value!r}{mend}")
    if isinstance(epochs, bool) or not isinstance(epochs, int | np.integer) or epochs < 1:
        raise ValueError(f"train: epochs must be a whole number >= 1, got {epochs!r}")
    if not model.params:
        raise ValueError(f"train: the model must have parameters to train, {model!r} has none")
    if not np.shares_memory(optimizer.params.flat, model.params.flat):
        raise ValueError("train: the optimizer must hold this model's parameters, SGD(model.params, ...)")
    order = (np.random.default_rng() if rng is None else rng) if shuffle else None
    mini_batches = _batches(data, batch_size, model.dtype, order)
    hooks = [hook if isinstance(hook, Callback) else _AtEpochEnd(hook) for hook in callbacks]
    on_step = [hook.on_step for hook in hooks if type(hook).on_step is not Callback.on_step]
    history = History()
    run = Run(model, loss, optimizer, history, epochs)
    pace = Threads(threads, mini_batches.batch_size * max(array.size for array in model.params.values()))
    display = Progress(progress, epochs, len(mini_batches))

    with pace, _owned_memory(model, loss), _ctrl_c_stops(run):
        for callback in hooks:
            callback.on_start(run)
        for run.epoch in range(1, epochs + 1):
            display.start_epoch(run.epoch)
            start, rows, total, hits = time.perf_counter(), 0, 0.0, 0
            counts = True
            for x, y in mini_batches:
                began = time.perf_counter()
                # BEGIN SOLUTION train.forward points=4
                scores = model.forward(x)  # 1 forward: every layer caches its input
                run.value = loss.forward(scores, y)
                # END SOLUTION
                if not math.isfinite(run.value):
                    display.end_epoch()
                    raise NonFiniteLoss(_explanation(run, x), history)
                # BEGIN SOLUTION train.update points=8
                dx, grads = model.backward(loss.backward())  # 2 backward: the chain rule, layer by layer
                optimizer.step(grads)  # 3 update: W -= lr * dL/dW
                # END SOLUTION
                pace.took(time.perf_counter() - began)

                run.step, run.x, run.y, run.grads = run.step + 1, x, y, grads
                history.step_loss.append(run.value)
                rows, total = rows + len(x), total + run.value * len(x)
                right = loss.hits(scores, y) if counts else None
                counts = right is not None
                hits += right or 0
                for hook in on_step:
                    hook(run)
                display.step()
                if run.stop:
                    break
            history.seconds.append(time.perf_counter() - start)
            history.loss.append(total / rows)
            history.accuracy.append(hits / rows if counts else None)
            checked = None if validation is None or run.stop else evaluate(model, loss, validation)
            history.validation_loss.append(checked and checked.loss)
            history.validation_accuracy.append(checked and checked.accuracy)
            display.end_epoch(history.line(epochs))
            if not np.isfinite(model.params.flat).all() or (checked and not math.isfinite(checked.loss)):
                raise NonFiniteLoss(_explanation(run, x, "after the update"), history)
            for callback in hooks:
                callback.on_epoch(run)
            if run.stop:
                history.stopped = f"{run.stop}, in epoch {run.epoch} after step {run.step}"
                break
    return history


def evaluate(model: Layer, loss: Loss, data: Data, *, batch_size: int = 1024) -> Evaluation:
    """Mean loss and accuracy of the model in use (`predict`) over all of `data`."""
    rows, total, hits = 0, 0.0, 0
    counts = True
    for x, y in _batches(data, batch_size, model.dtype, None):
        scores = model.predict(x)
        total += loss.predict(scores, y) * len(x)
        right = loss.hits(scores, y)
        counts = counts and right is not None
        rows, hits = rows + len(x), hits + (right or 0)
    return Evaluation(total / rows, hits / rows if counts else None)


class _AtEpochEnd(Callback):
    def __init__(self, function: Callable[[Run], Any]) -> None:
        if not callable(function):
            raise TypeError(f"train: a callback must be a Callback or a function of the run, got {function!r}")
        self.function = function

    def on_epoch(self, run: Run) -> None:
        self.function(run)


def _batches(data: Data, batch_size: int, dtype: npt.DTypeLike, rng: np.random.Generator | int | None) -> Batches:
    if isinstance(data, Dataset):
        return batches(data.stored, data.y, batch_size, rng=rng, scale=data.scale, dtype=dtype)
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise TypeError(f"train: data must be a Dataset or a pair (x, y), got {type(data).__name__}")
    return batches(data[0], data[1], batch_size, rng=rng, dtype=dtype)


def _explanation(run: Run, x: Array, when: str = "") -> str:
    where = first_nonfinite(run.model, x, run.grads)
    what = f"weights are not finite {when}" if when else f"loss is {run.value}"
    mend = "" if "in the input" in where else "; a smaller lr may mend it"
    return f"{what} in epoch {run.epoch}, step {run.step + (not when)}: {where}{mend}"


@contextmanager
def _owned_memory(model: Layer, loss: Loss) -> Iterator[None]:
    """Lets all layers write into arrays that the loop uses again each step; nobody reads the first dL/dx."""
    model.workspace, loss.workspace = Workspace(Grads.like(model.params), wants_dx=False), Workspace()
    try:
        # Overflow and NaN are caught by looking at the loss, with a better message than NumPy's warnings.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            yield
    finally:
        model.workspace = loss.workspace = None
        model.forget()
        loss.forget()


@contextmanager
def _ctrl_c_stops(run: Run) -> Iterator[None]:
    """Makes the first Ctrl-C a request to stop after the step; a second one interrupts at once."""

    def ask(signum: int, frame: Any) -> None:
        run.stop = "interrupted by Ctrl-C"
        signal.signal(signal.SIGINT, signal.default_int_handler)

    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield  # signals are somebody else's here
        return
    signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
