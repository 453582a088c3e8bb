"""The matrix products of a step and nothing else: y = x W', dW = dy' x, and dx = dy W but for the first layer.

They are taken in the memory orders that are the fastest together, of all in which a step could have its arrays: the
batch lies in rows, W and dW lie alike, everything else as it likes. No framework on the same BLAS can be faster.
"""

import time
from itertools import pairwise, product

import numpy as np

from benchmarks.peers import base

FLIPPED = {"C": "F", "F": "C"}
"""The order of the transpose."""


class Peer(base.Peer):
    def load(self, repeats):
        self.steps = repeats * self.net.DISTINCT
        self.calls = fastest_together(self.net)

    def run(self):
        calls = self.calls
        for _ in range(self.steps):
            for function, a, b, out in calls:
                function(a, b, out)


def fastest_together(net):
    """The calls (function, a, b, out) of one step."""
    B, layers = net.batch, list(pairwise(net.sizes))
    forward = [ways(B, m, n, net.dtype) for m, n in layers]
    dW = [ways(n, B, m, net.dtype) for m, n in layers]
    dx = [ways(B, n, m, net.dtype) for m, n in layers]

    def calls(orders):
        """Those of a choice of orders for each layer's (W, y, dy)."""
        x, dx_order = "C", None
        for i, (W, y, dy) in enumerate(orders):
            yield forward[i][x, FLIPPED[W], y]
            yield dW[i][FLIPPED[dy], x, W]
            if i:
                yield dx[i][dy, W, dx_order]
            x, dx_order = y, dy

    choices = product(product("CF", repeat=3), repeat=len(layers))
    best = min(choices, key=lambda orders: sum(seconds for seconds, _ in calls(orders)))
    return [call for _, call in calls(best)]


def ways(m, k, n, dtype):
    """(seconds, call) of the product of [m x k] and [k x n], by the memory orders of both and of the result."""
    rng = np.random.default_rng(0)
    found = {}
    for order_a, order_b, order_out in product("CF", repeat=3):
        a = np.asarray(rng.standard_normal((m, k)), dtype, order=order_a)
        b = np.asarray(rng.standard_normal((k, n)), dtype, order=order_b)
        out = np.empty((m, n), dtype)
        transposed = np.empty((n, m), dtype)
        if order_out == "C":
            calls = [(np.matmul, a, b, out), (np.dot, a, b, out)]
        else:
            calls = [(np.matmul, b.T, a.T, transposed), (np.dot, b.T, a.T, transposed)]
        if m == 1:  # a vector and a matrix, whose result has no order
            calls += [(np.dot, a[0], b, out[0]), (np.dot, b.T, a[0], out[0])]
        if k == 1:  # an outer product
            calls += [(np.multiply, a, b, out) if order_out == "C" else (np.multiply, b.T, a.T, transposed)]
        found[order_a, order_b, order_out] = min(((seconds(call), call) for call in calls), key=lambda timed: timed[0])
    return found


def seconds(call):
    """The least of ten times, since others may be busy on the machine."""
    function, *arrays = call
    times = []
    for _ in range(10):
        start = time.perf_counter()
        function(*arrays)
        times.append(time.perf_counter() - start)
    return min(times)
