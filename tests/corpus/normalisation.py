"""Batch, layer, group and L2 normalisation."""

import numpy as np

from .case import Family, Stateless


class LayerNorm:
    """xhat = (x - mean) / sqrt(var + eps) over `axis`, y = gamma * xhat + beta."""

    axis = -1
    eps = 1e-5

    def __init__(self, sizes, rng):
        self.params = {"gamma": rng.uniform(0.5, 2, sizes["D"]), "beta": rng.standard_normal(sizes["D"])}

    def mean(self, x):
        return x.mean(axis=self.axis, keepdims=True)

    def forward(self, x):
        centred = x - self.mean(x)
        self.var = self.mean(centred * centred)
        self.scale = self.scale_of(self.var)
        self.xhat = centred * self.scale
        return self.params["gamma"] * self.xhat + self.params["beta"]

    def scale_of(self, var):
        return 1 / np.sqrt(var + self.eps)

    def backward(self, upstream):
        dx = self.dx(upstream * self.params["gamma"])
        return dx, {"gamma": self.dgamma(upstream), "beta": self.dbeta(upstream)}

    def dx(self, dxhat):
        return self.scale * (dxhat - self.mean(dxhat) - self.xhat * self.mean(dxhat * self.xhat))

    def dgamma(self, upstream):
        return (upstream * self.xhat).sum(axis=0)

    def dbeta(self, upstream):
        return upstream.sum(axis=0)


class BatchNorm(LayerNorm):
    """The same over the batch."""

    axis = 0


class GammaForgotten(BatchNorm):
    def backward(self, upstream):
        return self.dx(upstream), super().backward(upstream)[1]


class GammaAfterTheMeans(LayerNorm):
    """Right for BatchNorm, where gamma is constant along the means; wrong here."""

    def backward(self, upstream):
        return self.params["gamma"] * self.dx(upstream), super().backward(upstream)[1]


class SharesOneBuffer(BatchNorm):
    """Both parameter gradients go into one work array; the second overwrites the first."""

    def backward(self, upstream):
        dx, grads = super().backward(upstream)
        work = grads["gamma"]
        work[...] = grads["beta"]
        return dx, {"gamma": work, "beta": work}


class KeepsFirstStatistics(BatchNorm):
    """The first batch's scale serves every later backward."""

    kept = None

    def backward(self, upstream):
        if self.kept is None or self.kept.shape != self.scale.shape:
            self.kept = self.scale
        self.scale = self.kept
        return super().backward(upstream)


class RunningBatchNorm(BatchNorm):
    """Training mode: running statistics are updated by every forward and read by none."""

    def __init__(self, sizes, rng):
        super().__init__(sizes, rng)
        self.running_mean, self.running_var = np.zeros(sizes["D"]), np.ones(sizes["D"])

    def forward(self, x):
        self.running_mean = 0.9 * self.running_mean + 0.1 * x.real.mean(axis=0)
        self.running_var = 0.9 * self.running_var + 0.1 * x.real.var(axis=0)
        return super().forward(x)


class RefusesOne(BatchNorm):
    def forward(self, x):
        if len(x) < 2:
            raise ValueError("BatchNorm: a batch of one has no variance; expected at least 2 rows")
        return super().forward(x)


class EvaluationBatchNorm(BatchNorm):
    """Evaluation mode: fixed statistics, so that the layer is affine."""

    def __init__(self, sizes, rng):
        super().__init__(sizes, rng)
        self.running_mean, self.scale = rng.standard_normal(sizes["D"]), rng.uniform(0.5, 2, sizes["D"])

    def forward(self, x):
        self.xhat = (x - self.running_mean) * self.scale
        return self.params["gamma"] * self.xhat + self.params["beta"]

    def dx(self, dxhat):
        return self.scale * dxhat


class GroupNorm(LayerNorm):
    """LayerNorm without parameters over each of the G groups of a row's G * S features."""

    def __init__(self, sizes, rng):
        self.groups = sizes["G"]

    def grouped(self, x):
        return x.reshape(len(x), self.groups, -1)

    def ungrouped(self, x):
        return x.reshape(len(x), -1)

    def forward(self, x):
        x = self.grouped(x)
        centred = x - self.mean(x)
        self.scale = self.scale_of(self.mean(centred * centred))
        self.xhat = centred * self.scale
        return self.ungrouped(self.xhat)

    def backward(self, upstream):
        return self.ungrouped(self.dx(self.grouped(upstream)))


class Centre(Stateless):
    def forward(self, x):
        return x - x.mean(axis=0)

    def backward(self, upstream):
        return upstream - upstream.mean(axis=0)


class L2Norm(Stateless):
    """y = x / sqrt(sum(x^2) + eps), a row at a time."""

    eps = 1e-6

    def forward(self, x):
        self.norm = np.sqrt((x * x).sum(axis=1, keepdims=True) + self.eps)
        self.y = x / self.norm
        return self.y

    def backward(self, upstream):
        return (upstream - self.y * (upstream * self.y).sum(axis=1, keepdims=True)) / self.norm


class RMSNorm:
    """y = gamma * x / sqrt(mean(x^2) + eps), a row at a time."""

    eps = 1e-6

    def __init__(self, sizes, rng):
        self.params = {"gamma": rng.uniform(0.5, 2, sizes["D"])}

    def forward(self, x):
        self.rms = np.sqrt((x * x).mean(axis=1, keepdims=True) + self.eps)
        self.xhat = x / self.rms
        return self.params["gamma"] * self.xhat

    def backward(self, upstream):
        dxhat = upstream * self.params["gamma"]
        return self.dx(dxhat), {"gamma": (upstream * self.xhat).sum(axis=0)}

    def dx(self, dxhat):
        return (dxhat - self.xhat * (dxhat * self.xhat).mean(axis=1, keepdims=True)) / self.rms


class Norm(Stateless):
    """y = |x|, a row at a time: a kink where a whole row is 0, where 0 is a subgradient."""

    def forward(self, x):
        self.x = x
        self.norm = np.sqrt((np.abs(x) ** 2).sum(axis=1, keepdims=True))
        return self.norm[:, 0].copy()

    def backward(self, upstream):
        return upstream[:, None] * self.x / np.where(self.norm > 0, self.norm, 1)


def rows_of_zeros(sizes, rng):
    x = rng.standard_normal((sizes["N"], sizes["D"]))
    x[::2] = 0
    return (x,)


batch_norm = Family("batchnorm", BatchNorm, {"x": "N D"}, {"N": 5, "D": 3})
layer_norm = Family("layernorm", LayerNorm, {"x": "N D"}, {"N": 3, "D": 5})
group_norm = Family(
    "groupnorm", GroupNorm, {"x": "N 12"}, {"N": 3, "G": 3}, variants=({"N": 1}, {"G": 1}, {"G": 4}, {"G": 12})
)
centre = Family("centre", Centre, {"x": "N D"}, {"N": 5, "D": 3})
l2_norm = Family("l2 norm", L2Norm, {"x": "N D"}, {"N": 3, "D": 4})
rms_norm = Family("rmsnorm", RMSNorm, {"x": "N D"}, {"N": 3, "D": 4})
norm = Family("norm", Norm, {"x": "N D"}, {"N": 3, "D": 4})

BUGS = [
    batch_norm.bug("gamma forgotten", "dx", "gamma-forgotten", make=GammaForgotten),
    batch_norm.bug(
        "the path through the mean forgotten",
        "dx",
        "mean-path-forgotten",
        dx=lambda self, dxhat: self.scale * (dxhat - self.xhat * self.mean(dxhat * self.xhat)),
    ),
    batch_norm.bug(
        "the path through the variance forgotten",
        "dx",
        "variance-path-forgotten",
        dx=lambda self, dxhat: self.scale * (dxhat - self.mean(dxhat)),
    ),
    batch_norm.bug(
        "the gradient of evaluation mode", "dx", "statistics-as-constants", dx=lambda self, dxhat: self.scale * dxhat
    ),
    batch_norm.bug(
        "eps omitted in backward",
        "dx",
        "eps-omitted",
        "nan",
        "overflow",
        eps=1e-3,
        dx=lambda self, dxhat: BatchNorm.dx(self, dxhat) / self.scale / np.sqrt(self.var),
    ),
    batch_norm.bug(
        "N - 1 for N in backward",
        "dx",
        "constant-factor",
        dx=lambda self, dxhat: BatchNorm.dx(self, dxhat) * np.sqrt((len(dxhat) - 1) / len(dxhat)),
    ),
    batch_norm.bug(
        "dgamma of x before it is centred and scaled",
        "dgamma",
        "x-for-xhat",
        dgamma=lambda self, upstream: (upstream * self.xhat / self.scale).sum(axis=0),
    ),
    batch_norm.bug(
        "dgamma [1 x D] instead of [D]",
        "dgamma",
        "wrong-shape",
        dgamma=lambda self, upstream: (upstream * self.xhat).sum(axis=0, keepdims=True),
    ),
    batch_norm.bug(
        "dgamma sums the wrong axis when N = D",
        "dgamma",
        "wrong-axis",
        dgamma=lambda self, upstream: (upstream * self.xhat).sum(
            axis=1 - upstream.shape.index(len(self.params["gamma"]))
        ),
    ),
    batch_norm.bug(
        "dbeta averaged over the batch", "dbeta", "extra-1/N", dbeta=lambda self, upstream: upstream.mean(axis=0)
    ),
    batch_norm.bug("dgamma and dbeta are one array", "dgamma", "gradient-of-another", make=SharesOneBuffer),
    batch_norm.bug("the first batch's variance is kept", "dx", "stale-cache", make=KeepsFirstStatistics),
    layer_norm.bug(
        "the means run over the batch",
        "dx",
        "wrong-axis",
        dx=lambda self, dxhat: self.scale * (dxhat - dxhat.mean(axis=0) - self.xhat * (dxhat * self.xhat).mean(axis=0)),
    ),
    layer_norm.bug("gamma multiplied in after the means", "dx", "gamma-misplaced", make=GammaAfterTheMeans),
    layer_norm.bug(
        "NaN in constant rows: eps omitted in backward",
        "dx",
        "eps-omitted",
        "wrong-where-small",
        "nan",
        eps=1e-12,
        dx=lambda self, dxhat: LayerNorm.dx(self, dxhat) / self.scale / np.sqrt(self.var),
    ),
    layer_norm.bug(
        "NaN in constant rows: no eps at all",
        "y",
        "nan",
        scale_of=lambda self, var: 1 / np.sqrt(var),
    ),
    group_norm.bug(
        "groups folded in another order than unfolded",
        "dx",
        "permuted",
        "wrong-order",
        backward=lambda self, upstream: self.ungrouped(self.dx(self.grouped(upstream)).swapaxes(1, 2)),
    ),
    centre.bug(
        "the path through the mean forgotten",
        "dx",
        "mean-path-forgotten",
        "equals-upstream",
        backward=lambda self, upstream: upstream.copy(),
    ),
    l2_norm.bug(
        "the path through the norm forgotten",
        "dx",
        "norm-path-forgotten",
        backward=lambda self, upstream: upstream / self.norm,
    ),
    l2_norm.bug(
        "the projection uses x, not y",
        "dx",
        "input-for-output",
        backward=lambda self, upstream: (
            (upstream - self.y * (upstream * self.y).sum(axis=1, keepdims=True) * self.norm) / self.norm
        ),
    ),
    rms_norm.bug(
        "a sum for the mean",
        "dx",
        "missing-1/D",
        dx=lambda self, dxhat: (dxhat - self.xhat * (dxhat * self.xhat).sum(axis=1, keepdims=True)) / self.rms,
    ),
    norm.bug(
        "NaN in rows of zeros",
        "dx",
        "nan",
        backward=lambda self, upstream: upstream[:, None] * self.x / self.norm,
    ),
]

CORRECT = [
    batch_norm.correct("a batch of one gives beta"),
    batch_norm.correct("running statistics as state", make=RunningBatchNorm),
    batch_norm.correct("evaluation mode", make=EvaluationBatchNorm),
    batch_norm.correct("refuses a batch of one", make=RefusesOne),
    layer_norm.correct("eps keeps constant rows finite"),
    group_norm.correct("no parameters"),
    l2_norm.correct("eps keeps rows of zeros finite", point=rows_of_zeros),
    rms_norm.correct("plain"),
    norm.correct("0 in rows of zeros", point=rows_of_zeros),
]
