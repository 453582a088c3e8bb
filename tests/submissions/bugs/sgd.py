"""Mistakes in the optimizer's step, and other right ways to write it."""

from ..entry import Bug, Correct

STEP = "sgd.step"


def _step(
    decayed: str = "g = g + self._decay_rates * w",
    velocity: str = "self._velocity = self.momentum * self._velocity + g",
    chosen: str = "g = g + self.momentum * self._velocity if self.nesterov else self._velocity",
    update: str = "w -= self.lr * g",
) -> str:
    return f"""
g = gradient
if self.weight_decay:
    {decayed}
if self.momentum:
    {velocity}
    {chosen}
{update}
"""


BUGS = [
    Bug("the wrong sign: uphill", STEP, _step(update="w += self.lr * g"), r"sign|uphill|add|minus|-="),
    Bug(
        "a copy is updated",
        STEP,
        _step(update="w = w - self.lr * g"),
        r"in place|copy|unchanged|not (changed|updated)|stay|did not",
    ),
    Bug(
        "a new array in params.flat's place",
        STEP,
        _step(update="self.w = np.array(w)\nself.w -= self.lr * g"),
        r"in place|copy|unchanged|not (changed|updated)|stay|did not",
    ),
    Bug("lr forgotten", STEP, _step(update="w -= g"), r"\blr\b|learning rate|step size"),
    Bug("lr squared", STEP, _step(update="w -= self.lr * self.lr * g"), r"\blr\b|learning rate|twice"),
    Bug("lr hard-coded", STEP, _step(update="w -= 0.01 * g"), r"\blr\b|learning rate|0\.01"),
    Bug(
        "lr kept from the first step",
        STEP,
        "self.first_lr = getattr(self, 'first_lr', self.lr)\n" + _step(update="w -= self.first_lr * g"),
        r"\blr\b|learning rate",
    ),
    Bug("lr shrinks with every step", STEP, _step() + "\nself.lr *= 0.9", r"\blr\b|learning rate|chang"),
    Bug("momentum ignored", STEP, _step(velocity="pass", chosen="pass"), r"momentum|velocity"),
    Bug(
        "momentum of the wrong sign",
        STEP,
        _step(velocity="self._velocity = -self.momentum * self._velocity + g"),
        r"momentum|velocity|sign",
    ),
    Bug(
        "lr twice: in the velocity too",
        STEP,
        _step(velocity="self._velocity = self.momentum * self._velocity + self.lr * g"),
        r"\blr\b|learning rate|velocity",
    ),
    Bug(
        "lr in the velocity rather than at the end",
        STEP,
        """
        g = gradient
        if self.weight_decay:
            g = g + self._decay_rates * w
        if not self.momentum:
            w -= self.lr * g
            return
        self._velocity = self.momentum * self._velocity + self.lr * g
        w -= self.lr * g + self.momentum * self._velocity if self.nesterov else self._velocity
    """,
        r"\blr\b|learning rate|velocity",
    ),
    Bug(
        "a running mean: (1 - momentum) g",
        STEP,
        _step(velocity="self._velocity = self.momentum * self._velocity + (1 - self.momentum) * g"),
        r"1 - momentum|\(1 ?-|mean|dampen|momentum|velocity",
    ),
    Bug(
        "momentum taken of the gradient",
        STEP,
        _step(velocity="self._velocity = self._velocity + self.momentum * g"),
        r"momentum|velocity",
    ),
    Bug("the velocity never decays", STEP, _step(velocity="self._velocity = self._velocity + g"), r"momentum|velocity"),
    Bug(
        "the velocity is not kept",
        STEP,
        _step(
            velocity="v = self.momentum * self._velocity + g",
            chosen="g = g + self.momentum * v if self.nesterov else v",
        ),
        r"velocity|momentum|kept|first step|second step",
    ),
    Bug(
        "the velocity before this gradient",
        STEP,
        _step(
            velocity="v, self._velocity = self._velocity, self.momentum * self._velocity + g",
            chosen="g = g + self.momentum * v if self.nesterov else v",
        ),
        r"velocity|momentum|previous|before|old|late",
    ),
    Bug(
        "momentum times the weights",
        STEP,
        _step(velocity="self._velocity = self.momentum * w + g"),
        r"velocity|momentum",
    ),
    Bug("nesterov ignored", STEP, _step(chosen="g = self._velocity"), r"nesterov"),
    Bug(
        "nesterov without the gradient",
        STEP,
        _step(chosen="g = self.momentum * self._velocity if self.nesterov else self._velocity"),
        r"nesterov",
    ),
    Bug(
        "nesterov on the velocity: v + momentum g",
        STEP,
        _step(chosen="g = self._velocity + self.momentum * g if self.nesterov else self._velocity"),
        r"nesterov",
    ),
    Bug(
        "nesterov without momentum's factor",
        STEP,
        _step(chosen="g = g + self._velocity if self.nesterov else self._velocity"),
        r"nesterov",
    ),
    Bug("nesterov always", STEP, _step(chosen="g = g + self.momentum * self._velocity"), r"nesterov"),
    Bug("weight decay ignored", STEP, _step(decayed="pass"), r"decay"),
    Bug("weight decay of the wrong sign", STEP, _step(decayed="g = g - self._decay_rates * w"), r"decay|sign"),
    Bug("biases decay too", STEP, _step(decayed="g = g + self.weight_decay * w"), r"decay|bias"),
    Bug("twice the decay", STEP, _step(decayed="g = g + 2 * self._decay_rates * w"), r"decay"),
    Bug("half the decay", STEP, _step(decayed="g = g + 0.5 * self._decay_rates * w"), r"decay"),
    Bug("decay of the weights' signs", STEP, _step(decayed="g = g + self._decay_rates * np.sign(w)"), r"decay|sign"),
    Bug("decay apart from lr and momentum", STEP, _step(decayed="w -= self._decay_rates * w"), r"decay"),
    Bug(
        "decay decoupled: after the velocity",
        STEP,
        _step(decayed="w *= 1 - self.lr * self._decay_rates"),
        r"decay|velocity|order",
    ),
    Bug("decay squared", STEP, _step(decayed="g = g + self._decay_rates * self.weight_decay * w"), r"decay"),
    Bug(
        "gradient edited in place",
        STEP,
        """
        g = gradient
        if self.weight_decay:
            for name in grads:
                if grads[name].ndim > 1:
                    grads[name][...] += self.weight_decay * self.params[name]
            g = self._vector(grads)
        if self.momentum:
            self._velocity = self.momentum * self._velocity + g
            g = g + self.momentum * self._velocity if self.nesterov else self._velocity
        w -= self.lr * g
    """,
        r"grad.*(chang|place|edit)|(chang|place|edit).*grad",
    ),
    Bug("gradient clipped", STEP, "gradient = np.clip(gradient, -1, 1)\n" + _step(), r"clipped at 1 "),
    Bug(
        "lr divided by the root of the step's number",
        STEP,
        "self.t = getattr(self, 't', 0) + 1\n" + _step(update="w -= self.lr / np.sqrt(self.t) * g"),
        r"square root of the step",
    ),
    Bug(
        "Adagrad",
        STEP,
        "self.squares = getattr(self, 'squares', 0) + gradient**2\n"
        + _step(update="w -= self.lr * g / (np.sqrt(self.squares) + 1e-8)"),
        r"root of the summed squares",
    ),
    Bug(
        "momentum corrected for its start, as in Adam",
        STEP,
        "self.t = getattr(self, 't', 0) + 1\n"
        + _step(
            chosen="v = self._velocity / (1 - self.momentum**self.t)\n"
            "    g = g + self.momentum * v if self.nesterov else v"
        ),
        r"1 - momentum\*\*t",
    ),
    Bug(
        "gradient normalised",
        STEP,
        "gradient = gradient / (np.linalg.norm(gradient) + 1e-12)\n" + _step(),
        r"norm|length|scale|factor|expected",
    ),
    Bug(
        "only the weights, never the biases",
        STEP,
        _step(
            update="""for name, array in self.params.items():
    if array.ndim > 1:
        start = (array.__array_interface__["data"][0] - w.__array_interface__["data"][0]) // w.itemsize
        w[start : start + array.size] -= self.lr * g[start : start + array.size]"""
        ),
        r"bias|\bb\b|not (changed|updated)|unchanged|stay|\d\.\w",
    ),
    Bug(
        "only every other call",
        STEP,
        "self.calls = getattr(self, 'calls', 0) + 1\n" + _step(update="if self.calls % 2:\n    w -= self.lr * g"),
        r"step|call|unchanged|not (changed|updated)|stay|second",
    ),
    Bug(
        "the gradient of the step before",
        STEP,
        "gradient, self.last = getattr(self, 'last', gradient * 0), gradient.copy()\n" + _step(),
        r"previous|before|last|step|late|old|not (changed|updated)|unchanged",
    ),
    Bug(
        "gradients accumulated over steps",
        STEP,
        "self.total = getattr(self, 'total', 0) + gradient\ngradient = self.total\n" + _step(),
        r"accumulat|sum|step|earlier|add|momentum",
    ),
    Bug(
        "divided by a batch of 64", STEP, _step(update="w -= self.lr * g / 64"), r"64|factor|batch|divided|\blr\b|scale"
    ),
]

CORRECT = [
    Correct(
        "by name, in a loop",
        {
            STEP: """
        velocity = self.state
        for name, array in self.params.items():
            g = grads[name]
            rate = self.weight_decay if self.decay == "all" or self.decay == "weights" and array.ndim > 1 else 0
            if not isinstance(self.decay, str):
                rate = self.weight_decay if name in self.decay else 0
            g = g + rate * array
            if self.momentum:
                velocity[name][...] = self.momentum * velocity[name] + g
                g = g + self.momentum * velocity[name] if self.nesterov else velocity[name]
            array[...] = array - self.lr * g
    """
        },
    ),
    Correct(
        "entry by entry",
        {
            STEP: """
        for i in range(w.size):
            g = gradient[i]
            if self.weight_decay:
                g = g + self._decay_rates[i] * w[i]
            if self.momentum:
                self._velocity[i] = self.momentum * self._velocity[i] + g
                g = g + self.momentum * self._velocity[i] if self.nesterov else self._velocity[i]
            w[i] -= self.lr * g
    """
        },
    ),
    Correct(
        "in place, with out=",
        {
            STEP: """
        g = gradient.copy()
        if self.weight_decay:
            g += np.multiply(self._decay_rates, w)
        if self.momentum:
            np.multiply(self._velocity, self.momentum, out=self._velocity)
            np.add(self._velocity, g, out=self._velocity)
            g = np.add(g, self.momentum * self._velocity) if self.nesterov else self._velocity.copy()
        np.subtract(w, self.lr * g, out=w)
    """
        },
    ),
    Correct(
        "through the setter of params.flat",
        {
            STEP: """
        decay = self._decay_rates * w if self.weight_decay else 0.0
        g = gradient + decay
        if not self.momentum:
            self.params.flat = w - self.lr * g
            return
        v = self.momentum * self._velocity + g
        self._velocity = v
        self.params.flat = w - self.lr * (g + self.momentum * v if self.nesterov else v)
    """
        },
    ),
    Correct(
        "float32 inside",
        {
            STEP: """
        g = np.float32(gradient)
        if self.weight_decay:
            g = g + np.float32(self._decay_rates) * np.float32(w)
        if self.momentum:
            self._velocity = (np.float32(self.momentum) * np.float32(self._velocity) + g).astype(w.dtype)
            v = np.float32(self._velocity)
            g = g + np.float32(self.momentum) * v if self.nesterov else v
        w[...] = np.float32(w) - np.float32(self.lr) * g
    """
        },
    ),
    Correct(
        "a helper function",
        {
            STEP: """
        w -= self.lr * direction(self, w, gradient)
    """
        },
        module="""
        def direction(sgd, w, g):
            if sgd.weight_decay:
                g = g + sgd._decay_rates * w
            if not sgd.momentum:
                return g
            sgd._velocity = sgd._velocity * sgd.momentum + g
            return sgd._velocity if not sgd.nesterov else g + sgd._velocity * sgd.momentum
    """,
    ),
]
