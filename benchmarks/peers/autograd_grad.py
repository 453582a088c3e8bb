"""HIPS autograd: the gradient of a function in NumPy's own words."""

import autograd.numpy as np
from autograd import grad as gradient
from autograd.scipy.special import logsumexp

from benchmarks.nets import LR
from benchmarks.peers import base


class Peer(base.Peer):
    def __init__(self, net):
        super().__init__(net)
        self.params = [(W.T.copy(), b) for W, b in net.weights()]
        self.velocities = [(np.zeros_like(W), np.zeros_like(b)) for W, b in self.params]

        def loss(params, x, y):
            for W, b in params[:-1]:
                x = np.dot(x, W) + b
                x = np.maximum(x, 0) if net.activation == "ReLU" else 1 / (1 + np.exp(-x))
            W, b = params[-1]
            scores = np.dot(x, W) + b
            return np.mean(logsumexp(scores, axis=1) - scores[np.arange(len(y)), y])

        self.gradient = gradient(loss)

    def step(self, x, y):
        grads = self.gradient(self.params, x, y)
        for params, velocities, own in zip(self.params, self.velocities, grads, strict=True):
            for param, velocity, grad in zip(params, velocities, own, strict=True):
                if self.net.momentum:
                    velocity *= self.net.momentum
                    velocity += grad
                    grad = velocity
                param -= LR * grad

    def weights(self):
        return [(W.T, b) for W, b in self.params]
