"""A network of the assignment's own parts, trained; runs in the sandboxed child, where all parts are solved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from handgrad.assignment.probes.probe import Probe, Step, taken
from handgrad.params import Array


def run(probe: Probe, script: Sequence[Step], code: Any = None) -> dict[str, Array]:
    """Losses and parameters of a short training, and what the network gives before and after it."""
    from handgrad.layers import FC, ReLU, Sigmoid  # what runs probes is imported before the code that is asked
    from handgrad.losses import SoftmaxCE
    from handgrad.model import Sequential
    from handgrad.optim import SGD
    from handgrad.train import train

    options: dict[str, Any] = dict(probe.options)
    rng = np.random.default_rng(0)
    dtype, bias = options["dtype"], options["bias"]
    inner = Sequential(Sigmoid(), FC(7, 5, rng=rng, dtype=dtype, bias=bias), ReLU())
    model = Sequential(FC(6, 7, rng=rng, dtype=dtype), inner, FC(5, 3, rng=rng, dtype=dtype))
    loss = SoftmaxCE()
    x, y = rng.standard_normal((13, 6)).astype(dtype), rng.integers(0, 3, 13)
    results: dict[str, Array] = {}

    def use(when: str) -> None:
        scores = model.forward(x)
        results[f"loss {when}"] = taken(loss.forward(scores, y), "loss")
        dx, grads = model.backward(loss.backward())
        second, _ = model.backward(-2 * loss.backward())
        scores += 1  # the caller's to edit
        again, _ = model.backward(loss.backward())
        found = {"dx": dx, "dx second": second, "dx after an edit of the scores": again, **grads}
        results.update({f"{name} {when}": taken(one, name) for name, one in found.items()})

    use("before")
    optimizer = SGD(model.params, **options["sgd"])
    history = train(model, loss, optimizer, (x, y), epochs=3, batch_size=options["batch"], rng=1, progress=False)
    results["losses"] = taken(history.step_loss, "losses")
    results["accuracies"] = taken(history.accuracy, "accuracies")
    results.update({f"{name} trained": taken(array, name) for name, array in model.params.items()})
    use("after")
    return results
