"""Convolution and pooling: x is [N x C x H x W]."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .case import Family, Stateless


def windows_of(x, size, stride):
    """[N x C x H' x W' x size x size]: a view, every window of the last two axes."""
    return sliding_window_view(x, (size, size), axis=(2, 3))[:, :, ::stride, ::stride]


class Conv:
    """y[n, f] = b[f] + sum over c of x[n, c] correlated with K[f, c]; the kernel is 3 x 3."""

    stride, pad = 1, 1

    def __init__(self, sizes, rng):
        C, F = sizes["C"], sizes["F"]
        self.params = {"K": rng.standard_normal((F, C, 3, 3)), "b": rng.standard_normal(F)}

    def forward(self, x):
        self.shape = x.shape
        self.padded = np.pad(x, ((0, 0), (0, 0), (self.pad,) * 2, (self.pad,) * 2))
        self.windows = windows_of(self.padded, 3, self.stride)
        return np.einsum("nchwij,fcij->nfhw", self.windows, self.params["K"]) + self.params["b"][:, None, None]

    def backward(self, upstream):
        return self.dx(upstream), {"K": self.dK(upstream), "b": self.db(upstream)}

    def dx(self, upstream):
        """Every tap of the kernel adds its share at its own shift; then the padding is cropped."""
        N, C, H, W = self.shape
        (h, w), s = upstream.shape[2:], self.stride
        dx = np.zeros((N, C, H + 2 * self.pad, W + 2 * self.pad))
        for i, j in np.ndindex(3, 3):
            share = np.einsum("nfhw,fc->nchw", upstream, self.tap(i, j))
            self.add(dx[:, :, i : i + s * h : s, j : j + s * w : s], share)
        return self.crop(dx, H, W)

    def add(self, window, share):
        window += share

    def tap(self, i, j):
        return self.params["K"][:, :, i, j]

    def crop(self, dx, H, W):
        return dx[:, :, self.pad : self.pad + H, self.pad : self.pad + W].copy()

    def dK(self, upstream):
        return np.einsum("nfhw,nchwij->fcij", upstream, self.windows)

    def db(self, upstream):
        return upstream.sum(axis=(0, 2, 3))


class Im2Col(Conv):
    """The same by one matrix product over columns, as CS231n's fast layer does it."""

    def columns(self):
        return self.windows.transpose(0, 2, 3, 1, 4, 5).reshape(-1, self.shape[1] * 9)

    def forward(self, x):
        super().forward(x)
        K, (N, _, h, w) = self.params["K"], self.windows.shape[:4]
        y = self.columns() @ K.reshape(len(K), -1).T + self.params["b"]
        return y.reshape(N, h, w, -1).transpose(0, 3, 1, 2)

    def dK(self, upstream):
        rows = upstream.transpose(1, 0, 2, 3).reshape(upstream.shape[1], -1)
        return (rows @ self.columns()).reshape(self.params["K"].shape)


class KeepsColumns(Im2Col):
    """The columns are built once for every shape of input, and never again."""

    kept = None

    def forward(self, x):
        y = super().forward(x)
        if self.kept is None or self.kept.shape != self.columns().shape:
            self.kept = self.columns()
        return y

    def dK(self, upstream):
        rows = upstream.transpose(1, 0, 2, 3).reshape(upstream.shape[1], -1)
        return (rows @ self.kept).reshape(self.params["K"].shape)


class Pool(Stateless):
    """A window of 2 at a stride of 2; `spread` says how a window's upstream is shared among its entries."""

    size, stride = 2, 2

    def forward(self, x):
        self.shape = x.shape
        self.windows = windows_of(x, self.size, self.stride)
        return self.pooled(self.windows)

    def backward(self, upstream):
        dx = np.zeros(self.shape)
        (h, w), s = upstream.shape[2:], self.stride
        for i, j in np.ndindex(self.size, self.size):
            self.add(dx[:, :, i : i + s * h : s, j : j + s * w : s], upstream * self.spread(i, j))
        return dx

    def add(self, window, share):
        window += share


class MaxPool(Pool):
    """Ties are paid to the first maximum of the window."""

    def pooled(self, windows):
        self.first = windows.reshape(*windows.shape[:4], -1).argmax(axis=-1)
        return windows.max(axis=(4, 5))

    def spread(self, i, j):
        return self.first == i * self.size + j

    def is_max(self, i, j):
        return self.windows[..., i, j] == self.windows.max(axis=(4, 5))


class AvgPool(Pool):
    def pooled(self, windows):
        return windows.mean(axis=(4, 5))

    def spread(self, i, j):
        return 1 / self.size**2


class GlobalAvgPool(Stateless):
    def forward(self, x):
        self.shape = x.shape
        return x.mean(axis=(2, 3))

    def backward(self, upstream):
        return np.ones(self.shape) * upstream[:, :, None, None] / self.area(*self.shape[2:])

    def area(self, H, W):
        return H * W


class Upsample(Stateless):
    """Nearest neighbour, by 2: every entry becomes a 2 x 2 block."""

    def forward(self, x):
        return x.repeat(2, axis=2).repeat(2, axis=3)

    def backward(self, upstream):
        N, C, H, W = upstream.shape
        return upstream.reshape(N, C, H // 2, 2, W // 2, 2).sum(axis=(3, 5))


def overwrite(self, window, share):
    window[...] = np.where(share != 0, share, window)


def tap_by_channels(self, i, j):
    """[F x C], turned when that changes nothing about the shape."""
    K = self.params["K"][:, :, i, j]
    return K.T if K.shape[0] == K.shape[1] else K


def ties(sizes, rng):
    return (rng.integers(0, 2, (sizes["N"], sizes["C"], sizes["H"], sizes["W"])).astype(float),)


IMAGE = {"x": "N C H W"}
conv = Family(
    "conv",
    Conv,
    IMAGE,
    {"N": 2, "C": 2, "F": 3, "H": 4, "W": 5},
    variants=({"N": 1}, {"C": 1}, {"F": 1}, {"C": 3, "F": 3}, {"H": 1}, {"H": 4, "W": 4}, {"H": 5, "W": 3}),
)
strided = Family(
    "strided conv",
    Conv,
    IMAGE,
    {"N": 2, "C": 2, "F": 3, "H": 5, "W": 7},
    variants=({"N": 1}, {"C": 1}, {"F": 1}, {"H": 5, "W": 5}, {"H": 6, "W": 4}),
)
pooling = {
    "inputs": IMAGE,
    "sizes": {"N": 2, "C": 2, "H": 4, "W": 6},
    "variants": ({"N": 1}, {"C": 1}, {"H": 2, "W": 2}, {"H": 4, "W": 4}, {"H": 6, "W": 4}, {"H": 5, "W": 7}),
}
max_pool = Family("maxpool", MaxPool, **pooling)
avg_pool = Family("avgpool", AvgPool, **pooling)
global_pool = Family("global avgpool", GlobalAvgPool, IMAGE, {"N": 2, "C": 3, "H": 4, "W": 4})
upsample = Family("upsample", Upsample, IMAGE, {"N": 2, "C": 2, "H": 2, "W": 3})

overlapping = {
    "size": 3,
    "stride": 2,
    "sizes": {"N": 2, "C": 2, "H": 5, "W": 7},
    "variants": ({"N": 1}, {"H": 3}, {"H": 7}),
}

BUGS = [
    conv.bug(
        "dx with the kernel flipped",
        "dx",
        "kernel-flipped",
        tap=lambda self, i, j: self.params["K"][:, :, 2 - i, 2 - j],
    ),
    conv.bug("dx with the kernel transposed", "dx", "transposed", tap=lambda self, i, j: self.params["K"][:, :, j, i]),
    conv.bug("dx with channels and filters swapped when C = F", "dx", "transposed", tap=tap_by_channels),
    conv.bug("dx with its padding", "dx", "wrong-shape", crop=lambda self, dx, H, W: dx),
    conv.bug("dx cropped at one side only", "dx", "shifted", crop=lambda self, dx, H, W: dx[:, :, :H, :W].copy()),
    conv.bug("dx overwrites where windows overlap", "dx", "overwritten-not-added", add=overwrite),
    conv.bug(
        "dx cropped to H x H, visible when H != W",
        "dx",
        "wrong-shape",
        sizes={"N": 2, "C": 2, "F": 3, "H": 4, "W": 4},
        crop=lambda self, dx, H, W: dx[:, :, self.pad : self.pad + H, self.pad : self.pad + H].copy(),
    ),
    conv.bug(
        "dK flipped",
        "dK",
        "flipped",
        dK=lambda self, upstream: Conv.dK(self, upstream)[:, :, ::-1, ::-1].copy(),
    ),
    conv.bug(
        "dK transposed", "dK", "transposed", dK=lambda self, upstream: Conv.dK(self, upstream).swapaxes(2, 3).copy()
    ),
    conv.bug(
        "dK of the first sample only",
        "dK",
        "only-first-row",
        dK=lambda self, upstream: np.einsum("fhw,chwij->fcij", upstream[0], self.windows[0]),
    ),
    conv.bug("dK divided by N", "dK", "extra-1/N", dK=lambda self, upstream: Conv.dK(self, upstream) / len(upstream)),
    conv.bug(
        "db averaged over the positions",
        "db",
        "extra-1/(H*W)",
        db=lambda self, upstream: upstream.mean(axis=(2, 3)).sum(axis=0),
    ),
    conv.bug("db not summed over the batch", "db", "wrong-shape", db=lambda self, upstream: upstream.sum(axis=(2, 3))),
    conv.bug("im2col keeps the first input's columns", "dK", "stale-cache", make=KeepsColumns),
    # the right sums of the wrong windows: no word for it
    strided.bug(
        "dK ignores the stride",
        "dK",
        stride=2,
        dK=lambda self, upstream: np.einsum(
            "nfhw,nchwij->fcij", upstream, windows_of(self.padded, 3, 1)[:, :, : upstream.shape[2], : upstream.shape[3]]
        ),
    ),
    max_pool.bug("every tie is paid in full", "dx", "tie", point=ties, spread=MaxPool.is_max),
    max_pool.bug(
        "a tie is paid to nobody",
        "dx",
        "tie",
        point=ties,
        spread=lambda self, i, j: (
            self.is_max(i, j) & (sum(self.is_max(*at) for at in np.ndindex(self.size, self.size)) == 1)
        ),
    ),
    max_pool.bug(
        "row and column of the maximum swapped",
        "dx",
        "transposed",
        "permuted",
        spread=lambda self, i, j: self.first == j * self.size + i,
    ),
    # paid to an entry that is not the maximum: no word for it
    max_pool.bug("always the window's first entry", "dx", spread=lambda self, i, j: (i, j) == (0, 0)),
    max_pool.bug("overlapping windows overwrite", "dx", "overwritten-not-added", add=overwrite, **overlapping),
    avg_pool.bug("the division forgotten", "dx", "constant-factor", spread=lambda self, i, j: 1),
    global_pool.bug("divided by H^2, visible when H != W", "dx", "constant-factor", area=lambda self, H, W: H**2),
    upsample.bug(
        "one entry of every block, not their sum",
        "dx",
        "overwritten-not-added",
        backward=lambda self, upstream: upstream[:, :, ::2, ::2].copy(),
    ),
]

CORRECT = [
    conv.correct("one shift a tap of the kernel"),
    conv.correct("im2col", make=Im2Col),
    strided.correct("stride 2, no padding", stride=2, pad=0),
    max_pool.correct("ties paid to the first", point=ties),
    max_pool.correct(
        "ties shared",
        point=ties,
        spread=lambda self, i, j: self.is_max(i, j) / sum(self.is_max(*at) for at in np.ndindex(self.size, self.size)),
    ),
    max_pool.correct("overlapping windows", **overlapping),
    avg_pool.correct("overlapping windows", **overlapping),
    global_pool.correct("plain"),
    upsample.correct("plain"),
]
