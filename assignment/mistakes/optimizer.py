"""Mistakes in a step of stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from handgrad.params import Array, Params

MISTAKES: dict[str, dict[str, str]] = {
    "sgd.step": {
        "still": "the parameters stay as they are: step must write into them (w -= ..., not w = w - ...)",
        "sign": "the sign of the step is wrong: it goes up the slope; W = W - lr * v",
        "no lr": "the learning rate is missing: W = W - lr * v",
        "lr twice": "the learning rate is in the step twice: W = W - lr * v, where v = momentum * v + g has none",
        "first lr": "the learning rate is that of the first step for ever; read self.lr in each step",
        **{f"lr {lr}": f"the learning rate is always {lr}; it is self.lr" for lr in (0.1, 0.01, 0.001, 0.5)},
        **{
            f"lr shrinks by {f}": f"the learning rate shrinks with every step, by {f}; it is self.lr"
            for f in (0.9, 0.99, 0.5)
        },
        "lr divides": "the gradient is divided by the learning rate: W = W - lr * v",
        "lr in v": "the learning rate is inside the velocity; it belongs to the step, W = W - lr * v",
        "lr in v too": "the learning rate is in the velocity as well: v = momentum * v + g, W = W - lr * v",
        **{f"divided by {n}": f"the step is divided by {n}: W = W - lr * v" for n in (10, 16, 32, 64, 100, 128, 256)},
        "no momentum": "the step is that without momentum: use the velocity, v = momentum * v + g, W = W - lr * v",
        "dampened": "the gradient is multiplied by 1 - momentum (dampening); here v = momentum * v + g",
        "no history": "the velocity begins at 0 in each step: keep it from step to step, v[...] = momentum * v + g",
        "sum": "the velocity is the sum of all gradients: momentum is missing in v = momentum * v + g",
        "momentum on g": "momentum multiplies the gradient rather than the velocity: v = momentum * v + g",
        "momentum on all": "momentum multiplies gradient and velocity: v = momentum * v + g, not momentum * (v + g)",
        "v minus g": "the velocity has the gradient's sign wrong: v = momentum * v + g",
        "v negative": "momentum has the wrong sign: v = momentum * v + g",
        "v of w": "momentum multiplies the weights rather than the velocity: v = momentum * v + g",
        "v late": "the step uses the velocity of the step before: update v first, then W = W - lr * v",
        "v twice": "the velocity is updated twice in a step",
        "step twice": "the parameters are updated twice in a step",
        "half": "the step is half as long as it should be",
        "double": "the step is twice as long as it should be",
        "nesterov ignored": "nesterov is ignored, or v is updated after the step: W = W - lr * (g + momentum * v)",
        "nesterov always": "the step is Nesterov's although nesterov is False: then W = W - lr * v",
        "nesterov without g": "Nesterov's step lacks the gradient: W = W - lr * (g + momentum * v)",
        "nesterov g + v": "Nesterov's step lacks momentum: W = W - lr * (g + momentum * v)",
        "nesterov v + momentum g": "Nesterov's step multiplies the gradient by momentum: it is g + momentum * v",
        "nesterov plain g": "in Nesterov's g + momentum * v the weight decay is missing: g = dL/dW + weight_decay * W",
        "no decay": "the weight decay is missing: g = dL/dW + weight_decay * W",
        "decay everywhere": "all parameters decay, biases too; self._decay_rates says which do",
        "decay of the others": "the wrong parameters decay: self._decay_rates says which do",
        "decay of the weights": "the weights decay whatever `decay` says; self._decay_rates says which parameters do",
        "decay sign": "the weight decay has the wrong sign: g = dL/dW + weight_decay * W",
        "decay double": "the weight decay is twice as large: g = dL/dW + weight_decay * W, without a 2",
        "decay half": "the weight decay is half as large: g = dL/dW + weight_decay * W, without a 1/2",
        "decay squared": "weight_decay is in it twice: self._decay_rates has it already",
        "decay whole": "W itself is added rather than weight_decay * W: g = dL/dW + weight_decay * W",
        "decay constant": "weight_decay is added rather than weight_decay * W: g = dL/dW + weight_decay * W",
        "decay replaces": "the gradient is lost where the parameter decays: g = dL/dW + weight_decay * W",
        "decay scales g": "the decay multiplies the gradient: g = dL/dW + weight_decay * W",
        "decay without lr": "the decay is taken off W without the learning rate: it is a part of g",
        "decay decoupled": "the decay is in the step but not in the velocity: g = dL/dW + weight_decay * W comes first",
        "decay after": "the decay comes after the step, of the new W: g = dL/dW + weight_decay * W comes first",
        "decay of v": "the velocity decays rather than W: g = dL/dW + weight_decay * W",
        "absolute": "the decay is of |W|: g = dL/dW + weight_decay * W",
        "decay of signs": "the decay is of W's sign (that of L1): g = dL/dW + weight_decay * W",
        "shared velocity": "two optimizers share one velocity: it belongs to self",
        "averaged": "the gradient is divided by the number of its entries or rows: it is used as it comes",
        "accumulated": "gradients of earlier steps are added: a step takes its own, momentum aside",
        "last only": "only the last parameter is updated: all of them, self.params.flat",
        "first only": "only the first parameter is updated: all of them, self.params.flat",
        "no biases": "the parameters of one dimension (biases) are never updated",
        "sign of g": "only the sign of the gradient is used: W = W - lr * g",
        "normalised": "the gradient is divided by its length, its norm: it is used as it comes",
        "normalised whole": "the gradient is divided by its length, its norm: it is used as it comes",
    }
}


def code(mistake: str, part: str) -> Callable[..., Any]:
    """The optimizer that makes the mistake."""
    return partial(Mistaken, mistake, {})


class Mistaken:
    """Parameter by parameter, with one mistake of MISTAKES; `shared` is what all its optimizers have in common."""

    def __init__(self, mistake: str, shared: dict[str, Array], params: Params, lr: float, **options: Any) -> None:
        self.mistake, self.params, self.lr, self.first_lr = mistake, params, lr, lr
        self.momentum, self.nesterov = options.get("momentum", 0.0), options.get("nesterov", False)
        self.weight_decay, self.decay = options.get("weight_decay", 0.0), options.get("decay", "weights")
        self.steps = 0
        self.total: dict[str, Array] = {}
        self.v = shared if mistake == "shared velocity" else {}
        for name, w in params.items():
            self.v.setdefault(name, np.zeros_like(w))

    def step(self, grads: Mapping[str, Array]) -> None:
        if self.mistake == "normalised whole":
            norm = np.sqrt(sum(np.vdot(g, g) for g in grads.values()))
            grads = {name: g / norm for name, g in grads.items()}
        for _ in range(2 if self.mistake == "step twice" else 1):
            for number, name in enumerate(self.params):
                if self.updates(number, name):
                    self.update(name, grads[name])
        self.steps += 1

    def updates(self, number: int, name: str) -> bool:
        if self.mistake == "last only":
            return number == len(self.params) - 1
        if self.mistake == "no biases":
            return self.params[name].ndim > 1
        return self.mistake != "still" and (self.mistake != "first only" or number == 0)

    def update(self, name: str, loss_gradient: Array) -> None:
        mistake, w, m = self.mistake, self.params[name], self.momentum
        lr = {"first lr": self.first_lr, "no lr": 1.0, "sign": -self.lr, "lr twice": self.lr**2}.get(mistake, self.lr)
        lr *= {"half": 0.5, "double": 2.0}.get(mistake, 1.0)
        if mistake.startswith("divided by "):
            lr /= _number(mistake.rpartition(" ")[2])
        if mistake.startswith("lr "):
            number = _number(mistake.rpartition(" ")[2])
            lr = {f"lr {number:g}": number, "lr divides": 1 / self.lr}.get(mistake, lr)
            lr *= number**self.steps if "shrinks" in mistake else 1.0
        rate = self.rate(name)
        if mistake == "accumulated":
            loss_gradient = self.total[name] = self.total.get(name, 0) + loss_gradient
        g = self.decayed(w, self.seen(loss_gradient), rate)
        before = self.v[name]
        v = m * w + g if mistake == "v of w" else self.velocity(before, g)
        if mistake == "lr in v" and m:
            v, lr = m * before + lr * g, 1.0
        elif mistake == "lr in v too" and m:
            v = m * before + lr * g
        self.v[name] = v if m and mistake != "no history" else np.zeros_like(v)
        update = self.direction(before, v, g, loss_gradient) if m else g
        if mistake == "decay decoupled":
            update = update + rate * w
        w -= lr * update
        if mistake == "decay without lr":
            w -= rate * (w + lr * update)
        elif mistake == "decay after":
            w -= lr * rate * w

    def seen(self, gradient: Array) -> Array:
        if self.mistake == "averaged":
            return gradient / len(gradient)
        if self.mistake == "normalised":
            return np.asarray(gradient / np.linalg.norm(gradient))
        return np.sign(gradient) if self.mistake == "sign of g" else gradient

    def rate(self, name: str) -> float:
        is_weight = self.params[name].ndim > 1
        decays = is_weight if self.decay == "weights" else self.decay == "all" or name in self.decay
        decays = {"decay everywhere": True, "decay of the others": not decays, "decay of the weights": is_weight}.get(
            self.mistake, decays
        )
        return float(self.weight_decay if decays else 0.0)

    def decayed(self, w: Array, g: Array, rate: float) -> Array:
        """What should be g + rate w."""
        mistake = self.mistake
        if mistake in ("decay decoupled", "decay after", "decay without lr", "decay of v", "no decay"):
            return g
        factor = {"decay sign": -rate, "decay double": 2 * rate, "decay half": rate / 2, "decay squared": rate**2}.get(
            mistake, rate
        )
        if mistake == "decay whole":
            factor = float(rate > 0)
        if mistake == "decay constant":
            return g + rate
        if mistake == "decay scales g":
            return g + rate * g
        if mistake in ("absolute", "decay of signs"):
            return np.asarray(g + rate * (np.abs(w) if mistake == "absolute" else np.sign(w)))
        return factor * w if mistake == "decay replaces" and rate else g + factor * w

    def velocity(self, v: Array, g: Array) -> Array:
        """What should be momentum v + g."""
        m = float(self.momentum)
        known: dict[str, Array] = {
            "dampened": m * v + (1 - m) * g,
            "sum": v + g,
            "momentum on g": v + m * g,
            "momentum on all": m * (v + g),
            "v minus g": m * v - g,
            "v negative": g - m * v,
            "v twice": m * (m * v + g) + g,
            "decay of v": (m + self.weight_decay) * v + g,
        }
        return known.get(self.mistake, m * v + g)

    def direction(self, before: Array, v: Array, g: Array, loss_gradient: Array) -> Array:
        """What should be v, or g + momentum v with nesterov."""
        mistake, m = self.mistake, float(self.momentum)
        if mistake == "no momentum":
            return g
        if mistake == "v late":
            return before
        if not (self.nesterov or mistake == "nesterov always"):
            return v
        known: dict[str, Array] = {
            "nesterov ignored": v,
            "nesterov without g": m * v,
            "nesterov g + v": g + v,
            "nesterov v + momentum g": v + m * g,
            "nesterov plain g": loss_gradient + m * v,
        }
        return known.get(mistake, g + m * v)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 1.0
