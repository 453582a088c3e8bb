"""Elementwise layers: y = f(x), dx = upstream * f'(x); and dropout, which is elementwise with a random factor."""

import numpy as np
from scipy.special import erf, expit, log_expit

from .case import Family, Stateless

NEAR_EDGES = np.array([[1e-5, 1e-3, 0.5, 1.0], [2.0, 3e-4, 40.0, 1e4], [1.5, 0.01, 7.0, 2e-5]])


class Elementwise(Stateless):
    """y = f(x); `slope` is f'(x), for which the output y is at hand too."""

    def forward(self, x):
        self.x = x
        self.y = self.f(x)
        return self.y

    def backward(self, upstream):
        return upstream * self.slope(self.x, self.y)


class Sigmoid(Elementwise):
    def f(self, x):
        z = np.exp(-np.where(x.real < 0, -x, x))  # e^-|x| cannot overflow
        return np.where(x.real < 0, z, 1) / (1 + z)

    def slope(self, x, y):
        return y * (1 - y)


class LogSigmoid(Elementwise):
    def f(self, x):
        return log_expit(x)

    def slope(self, x, y):
        return expit(-x)


class Softplus(Elementwise):
    def f(self, x):
        return np.logaddexp(0, x)

    def slope(self, x, y):
        return expit(x)


class Tanh(Elementwise):
    frequency = 1

    def f(self, x):
        return np.tanh(self.frequency * x)

    def slope(self, x, y):
        return self.frequency * (1 - y**2)


class ReLU(Elementwise):
    def f(self, x):
        return np.maximum(x, 0)

    def slope(self, x, y):
        return x > 0


class LeakyReLU(Elementwise):
    leak = 0.1

    def f(self, x):
        return np.where(x > 0, x, self.leak * x)

    def slope(self, x, y):
        return np.where(x > 0, 1, self.leak)


class ELU(Elementwise):
    alpha = 0.5

    def f(self, x):
        return np.where(x > 0, x, self.alpha * np.expm1(np.minimum(x, 0)))

    def slope(self, x, y):
        return np.where(x > 0, 1, y + self.alpha)


class Swish(Elementwise):
    def f(self, x):
        return x * expit(x)

    def slope(self, x, y):
        return expit(x) + y * expit(-x)


class GELU(Elementwise):
    def f(self, x):
        return x * self.cdf(x)

    def cdf(self, x):
        return (1 + erf(x / np.sqrt(2))) / 2

    def slope(self, x, y):
        return self.cdf(x) + x * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)


class Abs(Elementwise):
    def f(self, x):
        return np.abs(x)

    def slope(self, x, y):
        return np.sign(x)


class Clip(Elementwise):
    bound = 1

    def f(self, x):
        return np.clip(x, -self.bound, self.bound)

    def slope(self, x, y):
        return np.abs(x) < self.bound


class Square(Elementwise):
    def f(self, x):
        return x * x

    def slope(self, x, y):
        return 2 * x


class AbsCubed(Elementwise):
    def f(self, x):
        return np.abs(x) ** 3

    def slope(self, x, y):
        return 3 * x * np.abs(x)


class Sinc(Elementwise):
    """y = sin(x) / x, and 1 at 0."""

    def f(self, x):
        return np.sinc(x / np.pi)

    def slope(self, x, y):
        small = np.abs(x) < 1e-3
        x = np.where(small, 1, x)
        return np.where(small, -self.x / 3, (np.cos(x) - y) / x)


class Sine(Elementwise):
    frequency = 1

    def f(self, x):
        return np.sin(self.frequency * x)

    def slope(self, x, y):
        return self.frequency * np.cos(self.frequency * x)


class Exp(Elementwise):
    def f(self, x):
        return np.exp(x)

    def slope(self, x, y):
        return y


class ExpIntoOneBuffer(Exp):
    def f(self, x):
        if not hasattr(self, "buffer") or self.buffer.shape != x.shape or self.buffer.dtype != np.exp(x).dtype:
            self.buffer = np.exp(x)
        return np.exp(x, out=self.buffer)


class Half(Elementwise):
    def f(self, x):
        return x / 2

    def slope(self, x, y):
        return 0.5


class Log(Elementwise):
    def f(self, x):
        return np.log(x)

    def slope(self, x, y):
        return 1 / x


class Sqrt(Elementwise):
    def f(self, x):
        return np.sqrt(x)

    def slope(self, x, y):
        return 0.5 / y


class Arcsin(Elementwise):
    def f(self, x):
        return np.arcsin(x)

    def slope(self, x, y):
        return 1 / np.sqrt((1 - x) * (1 + x))


class SoftSign(Elementwise):
    def f(self, x):
        return x / (1 + np.abs(x))

    def slope(self, x, y):
        return 1 / (1 + np.abs(x)) ** 2


class Scaled(Elementwise):
    factor = 1.0

    def f(self, x):
        return self.factor * np.sin(x)

    def slope(self, x, y):
        return self.factor * np.cos(x)


class Flat(Elementwise):
    """A step function: the gradient is zero wherever it exists."""

    step = staticmethod(np.round)

    def f(self, x):
        return self.step(x)

    def slope(self, x, y):
        return np.zeros(x.shape)


class FixedPoint(Elementwise):
    """Solves y = x + cos(y) / 2 by iteration, so y carries an error of about the tolerance; backward is exact."""

    def f(self, x):
        y, change = x, 1.0
        while change > 1e-8:
            before, y = y, x + np.cos(y) / 2
            change = np.abs(y - before).max()
        return y

    def slope(self, x, y):
        return 1 / (1 + np.sin(y) / 2)


class InPlaceOnItsOwn(Elementwise):
    """y = (x + 1)^2 e^-x, computed in place on temporaries that nobody else holds."""

    def f(self, x):
        y = x + 1.0
        y *= y
        y *= np.exp(-x)
        return y

    def slope(self, x, y):
        slope = 1.0 - x
        slope *= x + 1
        slope *= np.exp(-x)
        return slope


class FloatsOnly(Square):
    def forward(self, x):
        if not np.issubdtype(x.dtype, np.inexact):
            raise TypeError(f"Square: input must be floating-point, got {x.dtype}")
        return super().forward(x)


class PReLU:
    """y = x where x > 0, a * x elsewhere, with one slope `a` a feature."""

    def __init__(self, sizes, rng):
        self.params = {"a": rng.uniform(0.1, 0.5, sizes["D"])}

    def forward(self, x):
        self.x = x
        return np.where(x > 0, x, self.params["a"] * x)

    def backward(self, upstream):
        return upstream * np.where(self.x > 0, 1, self.params["a"]), {"a": self.da(upstream)}

    def da(self, upstream):
        return (upstream * np.minimum(self.x, 0)).sum(axis=0)


class Gain:
    """y = g * x, with a 0-d parameter."""

    def __init__(self, sizes, rng):
        self.params = {"g": np.array(rng.standard_normal())}

    def forward(self, x):
        self.x = x
        return self.params["g"] * x

    def backward(self, upstream):
        return self.params["g"] * upstream, {"g": self.dg(upstream)}

    def dg(self, upstream):
        return np.array((upstream * self.x).sum())


class FixedDropout:
    """Inverted dropout: kept entries are scaled by 1 / (1 - p). One mask a feature, drawn at construction."""

    p = 0.5

    def __init__(self, sizes, rng):
        self.rng = np.random.default_rng(rng.integers(2**32))
        self.mask = self.draw(sizes["D"])

    def draw(self, shape):
        return (self.rng.random(shape) >= self.p) / (1 - self.p)

    def forward(self, x):
        return x * self.mask

    def backward(self, upstream):
        return upstream * self.mask


class Dropout(FixedDropout):
    """The usual one: every forward draws a new mask from the layer's own generator."""

    def forward(self, x):
        self.mask = self.draw(x.shape)
        return super().forward(x)


class GatesUpstreamInPlace(ReLU):
    def backward(self, upstream):
        upstream[self.x <= 0] = 0
        return upstream


class GatesInputInPlace(ReLU):
    def forward(self, x):
        x[x < 0] = 0
        return super().forward(x)


def elementwise(name, layer, **common):
    return Family(name, layer, {"x": "N D"}, {"N": 3, "D": 4}, **common)


def near_edges(sizes, rng):
    """Positive points between 1e-5 and 1e4, whatever the size."""
    return (np.resize(NEAR_EDGES, (sizes["N"], sizes["D"])),)


def near_one(sizes, rng):
    return (np.resize([0.999999, -0.99999, 0.3, -0.7, 1e-7, 0.95], (sizes["N"], sizes["D"])),)


def large(sizes, rng):
    return (rng.uniform(-40, 40, (sizes["N"], sizes["D"])),)


def with_ties(sizes, rng):
    """Small whole numbers: every kink at a whole number is hit exactly."""
    return (rng.integers(-2, 3, (sizes["N"], sizes["D"])).astype(float),)


sigmoid = elementwise("sigmoid", Sigmoid)
log_sigmoid = elementwise("log-sigmoid", LogSigmoid)
softplus = elementwise("softplus", Softplus)
tanh = elementwise("tanh", Tanh)
relu = elementwise("relu", ReLU)
leaky = elementwise("leaky relu", LeakyReLU)
elu = elementwise("elu", ELU)
swish = elementwise("swish", Swish)
gelu = elementwise("gelu", GELU)
absolute = elementwise("abs", Abs)
clip = elementwise("clip", Clip)
square = elementwise("square", Square)
cubed = elementwise("|x|^3", AbsCubed)
sinc = elementwise("sinc", Sinc)
sine = elementwise("sine", Sine)
exp = elementwise("exp", Exp)
half = elementwise("half", Half)
prelu = elementwise("prelu", PReLU)
gain = elementwise("gain", Gain)
dropout = elementwise("dropout", Dropout)
fixed_dropout = Family("dropout, fixed mask", FixedDropout, {"x": "N D"}, {"N": 3, "D": 8})
softsign = elementwise("softsign", SoftSign)

BUGS = [
    sigmoid.bug("the input where the output belongs", "dx", "input-for-output", slope=lambda self, x, y: x * (1 - x)),
    sigmoid.bug("the factor y forgotten", "dx", "wrong-derivative", "missing-factor", slope=lambda self, x, y: 1 - y),
    sigmoid.bug(
        "the upstream ignored", "dx", "upstream-ignored", backward=lambda self, upstream: self.y * (1 - self.y)
    ),
    sigmoid.bug("NaN at 1e3: e^x / (1 + e^x)", "y", "overflow", f=lambda self, x: np.exp(x) / (1 + np.exp(x))),
    sigmoid.bug("zero beyond 6", "dx", "wrong-where-large", slope=lambda self, x, y: y * (1 - y) * (np.abs(x) < 6)),
    log_sigmoid.bug("log of a sigmoid: -inf at -1e3", "y", "overflow", f=lambda self, x: np.log(expit(x))),
    log_sigmoid.bug(
        "the slope is the sigmoid of x", "dx", "wrong-derivative", "wrong-input", slope=lambda self, x, y: expit(x)
    ),
    softplus.bug("log(1 + e^x): inf at 1e3", "y", "overflow", f=lambda self, x: np.log(1 + np.exp(x))),
    softplus.bug(
        "only the slope overflows at 1e3",
        "dx",
        "nan",
        "overflow",
        slope=lambda self, x, y: np.exp(x) / (1 + np.exp(x)),
    ),
    tanh.bug("1 - x^2 for 1 - y^2", "dx", "input-for-output", slope=lambda self, x, y: 1 - x**2),
    tanh.bug("1 - y for 1 - y^2", "dx", "wrong-derivative", slope=lambda self, x, y: 1 - y),
    tanh.bug("zero beyond 3", "dx", "wrong-where-large", slope=lambda self, x, y: (1 - y**2) * (np.abs(x) < 3)),
    relu.bug("no gate", "dx", "equals-upstream", backward=lambda self, upstream: upstream.copy()),
    relu.bug(
        "the gate asks the upstream",
        "dx",
        "upstream-for-input",
        "upstream-negative-dropped",
        backward=lambda self, upstream: np.maximum(upstream, 0),
    ),
    relu.bug(
        "slope 1 at 0, where the convention is 0",
        "dx",
        "wrong-at-zero",
        at_kink="left",
        slope=lambda self, x, y: x >= 0,
    ),
    relu.bug("a zero is paid twice", "dx", "wrong-at-zero", slope=lambda self, x, y: 1.0 * (x >= 0) + (x == 0)),
    relu.bug(
        "the upstream gated in place",
        "dx",
        "changes-upstream",
        make=GatesUpstreamInPlace,
    ),
    relu.bug("the input gated in place", "dx", "changes-input", make=GatesInputInPlace),
    leaky.bug("the leak forgotten", "dx", "wrong-where-negative", slope=lambda self, x, y: x > 0),
    leaky.bug(
        "the leak on the wrong side", "dx", "wrong-input", slope=lambda self, x, y: np.where(x > 0, self.leak, 1)
    ),
    elu.bug("y + 1 for y + alpha", "dx", "wrong-where-negative", slope=lambda self, x, y: np.where(x > 0, 1, y + 1)),
    swish.bug("half of the product rule", "dx", "product-rule", "wrong-derivative", slope=lambda self, x, y: expit(x)),
    # another function altogether, close to the right one: to be located only
    gelu.bug(
        "the slope of the sigmoid approximation",
        "dx",
        slope=lambda self, x, y: expit(1.702 * x) * (1 + 1.702 * x * expit(-1.702 * x)),
    ),
    absolute.bug("NaN at exactly 0: x / |x|", "dx", "nan", slope=lambda self, x, y: x / np.abs(x)),
    clip.bug(
        "no gate outside the range of 10",
        "dx",
        "equals-upstream",
        bound=10,
        slope=lambda self, x, y: np.ones(x.shape),
    ),
    clip.bug("only the upper bound gates", "dx", "wrong-where-large", slope=lambda self, x, y: x < self.bound),
    square.bug("factor 2 missing", "dx", "missing-factor-2", slope=lambda self, x, y: x),
    cubed.bug("the sign forgotten", "dx", "wrong-where-negative", slope=lambda self, x, y: 3 * x**2),
    sinc.bug("NaN at exactly 0", "dx", "nan", slope=lambda self, x, y: np.cos(x) / x - np.sin(x) / x**2),
    sinc.bug(
        "slope 1 at exactly 0",
        "dx",
        "wrong-at-zero",
        slope=lambda self, x, y: np.where(x == 0, 1, Sinc.slope(self, x, y)),
    ),
    sine.bug(
        "|upstream| for upstream",
        "dx",
        "upstream-magnitude",
        backward=lambda self, upstream: np.abs(upstream) * np.cos(self.x),
    ),
    sine.bug(
        "the sign of the upstream for the upstream",
        "dx",
        "upstream-sign-only",
        backward=lambda self, upstream: np.sign(upstream) * np.cos(self.x),
    ),
    sine.bug(
        "the upstream scaled to a norm of at most 1",
        "dx",
        "upstream-clipped",
        backward=lambda self, upstream: upstream / max(1, np.linalg.norm(upstream)) * np.cos(self.x),
    ),
    exp.bug("the output's buffer is reused", "y", "reused-buffer", make=ExpIntoOneBuffer),
    half.bug(
        "the output truncated to integers when x is",
        "y",
        "integer-truncated",
        f=lambda self, x: np.divide(x, 2, out=np.zeros_like(x), casting="unsafe"),
    ),
    prelu.bug(
        "da without its mask", "da", "wrong-derivative", da=lambda self, upstream: (upstream * self.x).sum(axis=0)
    ),
    prelu.bug(
        "da [1 x D] instead of [D]",
        "da",
        "wrong-shape",
        da=lambda self, upstream: (upstream * np.minimum(self.x, 0)).sum(axis=0, keepdims=True),
    ),
    gain.bug(
        "dg a mean, not a sum",
        "dg",
        "extra-1/(D*N)",
        dg=lambda self, upstream: np.array((upstream * self.x).mean()),
    ),
    dropout.bug(
        "the mask's scale forgotten",
        "dx",
        "missing-scale-1/(1-p)",
        backward=lambda self, upstream: upstream * (self.mask > 0),
    ),
    dropout.bug(
        "a new mask in backward",
        "dx",
        "new-mask",
        "not-repeatable",
        backward=lambda self, upstream: upstream * self.draw(upstream.shape),
    ),
    fixed_dropout.bug(
        "no mask in backward",
        "dx",
        "mask-forgotten",
        "equals-upstream",
        backward=lambda self, upstream: upstream / (1 - self.p),
    ),
]

CORRECT = [
    relu.correct("0 at the kinks", point=with_ties),
    relu.correct("0 at the kinks, by convention", point=with_ties, at_kink="left"),
    relu.correct("1/2 at the kinks", point=with_ties, slope=lambda self, x, y: np.heaviside(x, 0.5)),
    leaky.correct("kinks by convention", point=with_ties, at_kink="left"),
    absolute.correct("kinks, and not analytic", point=with_ties),
    clip.correct("kinks at both ends", point=with_ties),
    softsign.correct("|x| without a kink, not analytic"),
    cubed.correct("|x| without a kink, large third difference"),
    sigmoid.correct("saturated", point=large),
    log_sigmoid.correct("scipy's log_expit: not for complex numbers"),
    softplus.correct("logaddexp"),
    gelu.correct("with scipy's erf"),
    sinc.correct("a removable singularity at 0"),
    exp.correct("truly infinite at 1e3"),
    tanh.correct("stiff: tanh(50x)", frequency=50),
    tanh.correct("1 / cosh^2 overflows on the way to the right 0", slope=lambda self, x, y: 1 / np.cosh(x) ** 2),
    sine.correct("high frequency: sin(200x)", frequency=200),
    elementwise("log", Log).correct("near 0", domain={"x": (0, np.inf)}, point=near_edges),
    elementwise("sqrt", Sqrt).correct("near 0", domain={"x": (0, np.inf)}, point=near_edges),
    elementwise("arcsin", Arcsin).correct("near both ends", domain={"x": (-1, 1)}, point=near_one),
    elementwise("scale", Scaled).correct("outputs of 1e9", factor=1e9),
    elementwise("scale", Scaled).correct("outputs of 1e-9", factor=1e-9),
    elementwise("round", Flat).correct("flat almost everywhere"),
    elementwise("floor", Flat).correct("flat, with steps at whole numbers", step=staticmethod(np.floor)),
    elementwise("fixed point", FixedPoint).correct("an iterative solver's noise"),
    elementwise("in place", InPlaceOnItsOwn).correct("arithmetic on its own temporaries"),
    elementwise("square", FloatsOnly).correct("refuses integers"),
    prelu.correct("a slope a feature"),
    gain.correct("a 0-d parameter"),
    dropout.correct("draws a mask a forward from its own generator"),
    fixed_dropout.correct("one mask for good"),
]
