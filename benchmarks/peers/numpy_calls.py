"""The calls of NumPy that handgrad's step makes, and nothing else: no layers, no checks, every array made once.

What stands between this and handgrad is the price of its layers and checks. What stands between this and the matrix
products, no layers made of NumPy's calls can save.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from benchmarks.nets import LR
from benchmarks.peers import base
from handgrad.blas import add_scaled, scale_and_add
from handgrad.layers.products import column_major, product, sum_of_columns, sum_of_rows
from handgrad.params import split


class Arrays(NamedTuple):
    """A layer's parameters, their gradients, its output y, the activation h of that, the gradients of both, zeros."""

    W: np.ndarray
    b: np.ndarray
    dW: np.ndarray
    db: np.ndarray
    y: np.ndarray
    h: np.ndarray
    dy: np.ndarray
    dh: np.ndarray
    zeros: np.ndarray


class Peer(base.Peer):
    def __init__(self, net):
        super().__init__(net)
        parameters = [array for pair in net.weights() for array in pair]
        self.flat = np.concatenate([array.ravel() for array in parameters])
        self.gradient, self.velocity, self.scratch = (np.zeros_like(self.flat) for _ in range(3))
        shapes = {str(i): array.shape for i, array in enumerate(parameters)}
        own, gradients = (list(split(flat, shapes).values()) for flat in (self.flat, self.gradient))
        self.layers = []
        for i, (_, n) in enumerate(pairwise(net.sizes)):
            order = "F" if column_major(net.batch, n) else "C"
            results = (np.empty((net.batch, n), net.dtype, order) for _ in range(4))
            zeros = np.zeros((net.batch, n), net.dtype, order)
            self.layers.append(Arrays(*own[2 * i : 2 * i + 2], *gradients[2 * i : 2 * i + 2], *results, zeros))
        rows, classes = net.batch, net.sizes[-1]
        self.z, self.dscores = (np.empty((rows, classes), net.dtype) for _ in range(2))
        self.per_row, self.total, self.scale = (np.empty((rows, 1), net.dtype) for _ in range(3))
        self.starts, self.places = np.arange(0, rows * classes, classes), np.empty(rows, np.intp)

    def run(self):
        with np.errstate(over="ignore"):  # once, as train() does
            for x, labels in self.batches:
                self.step(x, labels)

    def step(self, x, labels):
        layers, h = self.layers, x
        for layer in layers:
            product(h, layer.W.T, layer.y)
            np.add(layer.y, layer.b, layer.y)
            h = layer.y if layer is layers[-1] else self.activated(layer)
        dy = self.dscores_of(h, labels)
        for layer, before in zip(layers[:0:-1], layers[-2::-1], strict=True):
            product(dy.T, before.h, layer.dW)
            sum_of_rows(dy, layer.db)
            product(dy, layer.W, before.dh)
            dy = self.dactivated(before)
        product(dy.T, x, layers[0].dW)
        sum_of_rows(dy, layers[0].db)
        gradient = self.gradient
        if self.net.momentum:
            scale_and_add(self.velocity, self.net.momentum, gradient)
            gradient = self.velocity
        add_scaled(self.flat, -LR, gradient, self.scratch)

    def activated(self, layer):
        y, h = layer.y, layer.h
        if self.net.activation == "ReLU":
            return np.maximum(y, layer.zeros, out=h)
        np.negative(y, h)
        np.exp(h, h)
        h += 1
        return np.reciprocal(h, h)

    def dactivated(self, layer):
        h, dy, dh = layer.h, layer.dy, layer.dh
        if self.net.activation == "ReLU":
            np.greater(layer.y, 0, dy)
            return np.multiply(dh, dy, dy)
        np.subtract(1, h, dy)
        dy *= h
        return np.multiply(dy, dh, dy)

    def dscores_of(self, scores, labels):
        """The gradient of softmax and cross-entropy; their value goes to `self.loss`."""
        z, per_row, total, rows = self.z, self.per_row, self.total, len(scores)
        np.subtract(scores, scores.max(axis=1, keepdims=True, out=per_row), z)
        places = np.add(labels, self.starts, self.places)
        at_labels = z.take(places)
        np.exp(z, z)
        sum_of_columns(z, total)
        self.loss = float(np.log(total, per_row).sum() - at_labels.sum()) / rows
        dscores = np.multiply(z, np.divide(1 / rows, total, self.scale), self.dscores)
        dscores.reshape(-1)[places] -= 1 / rows
        return dscores

    def weights(self):
        return [(layer.W, layer.b) for layer in self.layers]
