"""Mistakes in a step of stochastic gradient descent, each as what the arrays of a step are multiplied by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from handgrad.params import Array, Params

EPSILONS = (1e-10, 1e-8, 1e-7, 1e-6, 1e-5)
"""What is added to a denominator."""

MEANS = (0.9, 0.95, 0.99, 0.999)
"""How much of a running mean is kept in each step."""

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
        **dict.fromkeys(
            (
                *(f"lr falls by {k} from {start}" for k in (1, 0.1, 0.01, 0.001) for start in (0, 1)),
                *(f"lr decays by {k} from {start}" for k in (0.1, 0.01, 0.001) for start in (0, 1)),
            ),
            "the learning rate falls with the number of steps: it is self.lr, as it is in each step",
        ),
        "lr divides": "the gradient is divided by the learning rate: W = W - lr * v",
        "lr in v": "the learning rate is inside the velocity; it belongs to the step, W = W - lr * v",
        "lr in v and g": "the learning rate is inside the velocity; it belongs to the step, W = W - lr * v",
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
        "nesterov ignored": "nesterov is ignored, or takes the v of the step before: W = W - lr * (g + momentum * v)",
        "nesterov always": "the step is Nesterov's although nesterov is False: then W = W - lr * v",
        "nesterov without g": "Nesterov's step lacks the gradient: W = W - lr * (g + momentum * v)",
        "nesterov g + v": "Nesterov's step lacks momentum: W = W - lr * (g + momentum * v)",
        "nesterov v + momentum g": "Nesterov's step multiplies the gradient by momentum: it is g + momentum * v",
        "nesterov v + momentum v": "Nesterov's step takes the velocity where g belongs: it is g + momentum * v",
        "nesterov g + momentum g": "Nesterov's step takes the gradient where v belongs: it is g + momentum * v",
        "nesterov lr on g": (
            "in Nesterov's step lr multiplies g alone, brackets are missing: W = W - lr * (g + momentum * v)"
        ),
        "nesterov lr on v": (
            "in Nesterov's step lr multiplies momentum * v alone, brackets are missing: W = W - lr * (g + momentum * v)"
        ),
        "nesterov plain g": "in Nesterov's g + momentum * v the weight decay is missing: g = dL/dW + weight_decay * W",
        "no decay": "the weight decay is missing: g = dL/dW + weight_decay * W",
        "no decay without momentum": "without momentum the weight decay is missing: g = dL/dW + weight_decay * W",
        "no decay with momentum": "with momentum the weight decay is missing: g = dL/dW + weight_decay * W",
        "no decay with nesterov": "with nesterov the weight decay is missing: g = dL/dW + weight_decay * W",
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
        **dict.fromkeys(
            ("decay of v", "decay of v by rates"), "the velocity decays rather than W: g = dL/dW + weight_decay * W"
        ),
        "absolute": "the decay is of |W|: g = dL/dW + weight_decay * W",
        "decay of signs": "the decay is of W's sign (that of L1): g = dL/dW + weight_decay * W",
        "shared velocity": "two optimizers share one velocity: it belongs to self",
        "averaged": "the gradient is divided by the number of its entries or rows: it is used as it comes",
        "accumulated": "gradients of earlier steps are added: a step takes its own, momentum aside",
        "last only": "only the last parameter is updated: all of them, self.params.flat",
        "first only": "only the first parameter is updated: all of them, self.params.flat",
        "last entry": "the last entry of the vector is never updated: a loop over the entries ends too early",
        "first entry": "the first entry of the vector is never updated: a loop over the entries begins too late",
        "still without momentum": "without momentum nothing is updated: W = W - lr * g then",
        "still with momentum": "with momentum nothing is updated: W = W - lr * v, where v = momentum * v + g",
        "still with nesterov": "with nesterov nothing is updated: W = W - lr * (g + momentum * v)",
        "still without decay": "without weight decay nothing is updated: g = dL/dW then",
        "no biases": "the parameters of one dimension (biases) are never updated",
        "sign of g": "only the sign of the gradient is used: W = W - lr * g",
        "normalised": "the gradient is divided by its length, its norm: it is used as it comes",
        "normalised whole": "the gradient is divided by its length, its norm: it is used as it comes",
        **{
            f"clipped {most}": f"the gradient is clipped at {most} and -{most}: it is used as it comes"
            for most in (1, 0.5, 0.1)
        },
        "lr by root": "the learning rate is divided by the square root of the step's number; it is self.lr",
        **dict.fromkeys(
            ("adagrad 0", *(f"adagrad {how} {least}" for how in ("plus", "within") for least in EPSILONS)),
            "the gradient is divided by the root of the summed squares so far (Adagrad): it is used as it comes",
        ),
        **dict.fromkeys(
            (
                *(f"rmsprop of {mean} plus {least}" for mean in MEANS for least in (0, *EPSILONS)),
                *(f"rmsprop of {mean} within {least}" for mean in MEANS for least in (1e-8, 1e-6)),
            ),
            "the gradient is divided by the root of a mean of its squares (RMSProp): it is used as it comes",
        ),
        **dict.fromkeys(
            (f"adam of {mean} plus {least}" for mean in (0.9, 0.0) for least in (1e-8, 1e-7)),
            "the step is Adam's, divided by the root of a mean of squares: W = W - lr * v, v = momentum * v + g",
        ),
        **dict.fromkeys(
            ("corrected", "corrected, dampened"),
            "the velocity is divided by 1 - momentum**t (Adam's correction): v = momentum * v + g as it is",
        ),
    }
}


DECAYING: dict[str, Callable[[Array], Array]] = {
    "decay constant": np.ones_like,
    "absolute": np.abs,
    "decay of signs": np.sign,
}
"""What decays rather than the parameter itself."""

UNDECAYED = ("decay decoupled", "decay after", "decay without lr", "decay of v", "decay of v by rates", "no decay")


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
        without = {
            "still without momentum": not self.momentum,
            "still with momentum": self.momentum > 0,
            "still with nesterov": self.nesterov,
            "still without decay": not self.weight_decay,
        }
        if without.get(self.mistake):
            return False
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
            lr *= _falling(mistake, self.steps)
        if mistake == "lr by root":
            lr /= np.sqrt(self.steps + 1)
        rate = self.rate(name)
        if mistake == "accumulated":
            loss_gradient = self.total[name] = self.total.get(name, 0) + loss_gradient
        decaying = DECAYING.get(mistake, np.asarray)
        g = _combined(self.in_gradient(rate), (decaying(w), self.seen(name, loss_gradient)))
        before = self.v[name]
        v = _combined(self.in_velocity(lr, rate), (w if mistake == "v of w" else before, g))
        lr = 1.0 if mistake in ("lr in v", "lr in v and g") and m else lr
        self.v[name] = v if m and mistake != "no history" else np.zeros_like(v)
        if mistake.startswith("corrected"):
            v = v / (1 - m ** (self.steps + 1))
        if mistake.startswith("adam "):
            v = self.adams(name, g)
        update = v if mistake.startswith("adam ") else _combined(self.in_update(), (before, v, g, loss_gradient))
        first, last = w.flat[0], w.flat[-1]
        w[...] = _combined(self.in_parameter(lr, rate), (w, update))
        names = list(self.params)
        if mistake == "first entry" and name == names[0]:
            w.flat[0] = first
        if mistake == "last entry" and name == names[-1]:
            w.flat[-1] = last

    def adams(self, name: str, g: Array) -> Array:
        """Adam's step without the learning rate: a mean of 0 stands for the optimizer's momentum."""
        mean = _number(self.mistake.split()[2]) or float(self.momentum)
        moments = [self.total.get(f"{name} {n}", np.zeros_like(g)) for n in (1, 2)]
        for n, kept in enumerate((mean, 0.999)):
            moments[n] = self.total[f"{name} {n + 1}"] = kept * moments[n] + (1 - kept) * g ** (n + 1)
            moments[n] = moments[n] / (1 - kept ** (self.steps + 1))
        return np.asarray(moments[0] / (np.sqrt(moments[1]) + _number(self.mistake.rpartition(" ")[2])))

    def seen(self, name: str, gradient: Array) -> Array:
        if self.mistake.startswith("clipped "):
            most = _number(self.mistake.rpartition(" ")[2])
            return np.clip(gradient, -most, most)
        if self.mistake.startswith("adagrad "):
            self.total[name] = self.total.get(name, 0) + gradient**2
            least = _number(self.mistake.rpartition(" ")[2])
            within, outside = (least, 0.0) if "within" in self.mistake else (0.0, least)
            return np.asarray(gradient / (np.sqrt(self.total[name] + within) + outside))
        if self.mistake == "averaged":
            return gradient / len(gradient)
        if self.mistake.startswith("rmsprop "):
            return self.divided(name, gradient)
        if self.mistake == "normalised":
            return np.asarray(gradient / np.linalg.norm(gradient))
        return np.sign(gradient) if self.mistake == "sign of g" else gradient

    def divided(self, name: str, g: Array) -> Array:
        """The gradient as RMSProp has it."""
        mean, least = _number(self.mistake.split()[2]), _number(self.mistake.rpartition(" ")[2])
        self.total[name] = mean * self.total.get(name, np.zeros_like(g)) + (1 - mean) * g**2
        within, outside = (least, 0.0) if "within" in self.mistake else (0.0, least)
        return np.asarray(g / (np.sqrt(self.total[name] + within) + outside))

    def rate(self, name: str) -> float:
        is_weight = self.params[name].ndim > 1
        decays = is_weight if self.decay == "weights" else self.decay == "all" or name in self.decay
        decays = {"decay everywhere": True, "decay of the others": not decays, "decay of the weights": is_weight}.get(
            self.mistake, decays
        )
        return float(self.weight_decay if decays else 0.0)

    def in_gradient(self, rate: float) -> Sequence[float]:
        """What the parameter and the loss's gradient are multiplied by, for g."""
        known: dict[str, Sequence[float]] = {
            **dict.fromkeys(UNDECAYED, (0, 1)),
            "decay sign": (-rate, 1),
            "decay double": (2 * rate, 1),
            "decay half": (rate / 2, 1),
            "decay squared": (rate**2, 1),
            "decay whole": (rate > 0, 1),
            "no decay without momentum": (rate if self.momentum else 0, 1),
            "no decay with momentum": (0 if self.momentum else rate, 1),
            "no decay with nesterov": (0 if self.nesterov else rate, 1),
            "decay scales g": (0, 1 + rate),
            "decay replaces": (rate, rate == 0),
        }
        return known.get(self.mistake, (rate, 1))

    def in_velocity(self, lr: float, rate: float) -> Sequence[float]:
        """What the velocity before and g are multiplied by, for the velocity."""
        m = float(self.momentum)
        known: dict[str, Sequence[float]] = {
            "lr in v": (m, lr),
            "lr in v and g": (m, lr),
            "lr in v too": (m, lr),
            "dampened": (m, 1 - m),
            "corrected, dampened": (m, 1 - m),
            "sum": (1, 1),
            "momentum on g": (1, m),
            "momentum on all": (m, m),
            "v minus g": (m, -1),
            "v negative": (-m, 1),
            "v twice": (m**2, 1 + m),
            "decay of v": (m + self.weight_decay, 1),
            "decay of v by rates": (m + rate, 1),
        }
        return known.get(self.mistake, (m, 1))

    def in_update(self) -> Sequence[float]:
        """What the velocity before, the velocity, g and the loss's gradient are multiplied by, for the update."""
        mistake, m = self.mistake, float(self.momentum)
        if mistake == "no momentum" or not m:
            return 0, 0, 1, 0
        if mistake == "v late":
            return 1, 0, 0, 0
        known: dict[str, Sequence[float]] = {
            "nesterov ignored": (0, 1, 0, 0),
            "nesterov without g": (0, m, 0, 0),
            "nesterov g + v": (0, 1, 1, 0),
            "nesterov v + momentum g": (0, 1, m, 0),
            "nesterov v + momentum v": (0, 1 + m, 0, 0),
            "nesterov g + momentum g": (0, 0, 1 + m, 0),
            "nesterov lr on g": (0, m / self.lr, 1, 0),
            "nesterov lr on v": (0, m, 1 / self.lr, 0),
            "nesterov plain g": (0, m, 0, 1),
            "lr in v and g": (0, m, self.lr, 0),
        }
        is_nesterov = self.nesterov or mistake == "nesterov always"
        return known.get(mistake, (0, m, 1, 0)) if is_nesterov else (0, 1, 0, 0)

    def in_parameter(self, lr: float, rate: float) -> Sequence[float]:
        """What the parameter and the update are multiplied by, for the parameter."""
        kept = 1 - lr * rate
        known = {"decay decoupled": (kept, -lr), "decay without lr": (1 - rate, -lr), "decay after": (kept, -lr * kept)}
        return known.get(self.mistake, (1.0, -lr))


def _combined(multipliers: Sequence[float], arrays: Sequence[Array]) -> Array:
    """The arrays' linear combination."""
    parts = (factor * array for factor, array in zip(multipliers, arrays, strict=True) if factor)
    return np.asarray(sum(parts, np.zeros_like(arrays[0])))


def _falling(mistake: str, steps: int) -> float:
    """What the learning rate is multiplied by, where it falls with the number of steps."""
    _, how, *rest = mistake.split()
    if how not in ("falls", "decays"):
        return 1.0
    t = _number(rest[1]) * (steps + _number(rest[3]))
    return 1 / (1 + t) if how == "falls" else float(np.exp(-t))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 1.0
