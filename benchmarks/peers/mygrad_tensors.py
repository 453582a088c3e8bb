"""MyGrad: tensors that remember how they were made."""

import mygrad as mg
import numpy as np
from mygrad.nnet.activations import relu, sigmoid
from mygrad.nnet.losses import softmax_crossentropy

from benchmarks.nets import LR
from benchmarks.peers import base

mg.turn_memory_guarding_off()  # what its documentation advises for speed


class Peer(base.Peer):
    def __init__(self, net):
        super().__init__(net)
        self.activation = relu if net.activation == "ReLU" else sigmoid
        self.params = [(mg.tensor(W.T), mg.tensor(b)) for W, b in net.weights()]
        self.flat = [param for pair in self.params for param in pair]
        self.velocities = [np.zeros_like(param.data) for param in self.flat]

    def step(self, x, y):
        for W, b in self.params[:-1]:
            x = self.activation(mg.matmul(x, W) + b)
        W, b = self.params[-1]
        softmax_crossentropy(mg.matmul(x, W) + b, y).backward()
        for param, velocity in zip(self.flat, self.velocities, strict=True):
            grad = param.grad
            if self.net.momentum:
                velocity *= self.net.momentum
                velocity += grad
                grad = velocity
            param.data -= LR * grad

    def weights(self):
        return [(W.data.T, b.data) for W, b in self.params]
