"""A plain NumPy loop as in the CS231n course: every result a new array, W stored [in x out]."""

import numpy as np

from benchmarks.nets import LR
from benchmarks.peers import base


class Peer(base.Peer):
    def __init__(self, net):
        super().__init__(net)
        self.params = [[np.ascontiguousarray(W.T), b] for W, b in net.weights()]
        self.velocities = [[np.zeros_like(W), np.zeros_like(b)] for W, b in self.params]

    def step(self, x, y):
        inputs = [x]
        for i, (W, b) in enumerate(self.params):
            h = inputs[-1].dot(W) + b
            if i < len(self.params) - 1:
                h = np.maximum(0, h) if self.net.activation == "ReLU" else 1 / (1 + np.exp(-h))
            inputs.append(h)
        scores = inputs.pop()
        p = np.exp(scores - np.max(scores, axis=1, keepdims=True))
        p /= np.sum(p, axis=1, keepdims=True)
        dscores = p
        self.loss = -np.mean(np.log(p[np.arange(len(y)), y]))
        dscores[np.arange(len(y)), y] -= 1
        dh = dscores / len(y)
        for i in reversed(range(len(self.params))):
            h, grads = inputs[i], (inputs[i].T.dot(dh), np.sum(dh, axis=0))
            if i:
                dh = dh.dot(self.params[i][0].T)
                if self.net.activation == "ReLU":
                    dh[h <= 0] = 0
                else:
                    dh = dh * h * (1 - h)
            for j, grad in enumerate(grads):
                if self.net.momentum:
                    self.velocities[i][j] = grad = self.net.momentum * self.velocities[i][j] + grad
                self.params[i][j] -= LR * grad

    def weights(self):
        return [(W.T, b) for W, b in self.params]
