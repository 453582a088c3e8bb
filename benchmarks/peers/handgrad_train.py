"""handgrad as its users run it: one epoch of train().

The time of a step is taken inside of the call, from one step's end to the next: gathering the batch from a data set of
bytes, the three steps, hits, history and a callback. Its peers find their batches ready in memory, so that handgrad
carries more than they do. What comes once an epoch or once a call (shuffling, making the loop's arrays) is a matter of
benchmarks.epoch: a pass here is far shorter than an epoch.
"""

import time

import numpy as np

from benchmarks.nets import LR
from benchmarks.peers import base
from handgrad import FC, SGD, ReLU, Sequential, Sigmoid, SoftmaxCE, train
from handgrad.data import Dataset
from handgrad.train import Callback

SEED = 0


class Clock(Callback):
    """Notes when each step ends."""

    def __init__(self):
        self.ends = []

    def on_step(self, run):
        self.ends.append(time.perf_counter())


class Peer(base.Peer):
    def __init__(self, net):
        super().__init__(net)
        layers = []
        for W, b in net.weights():
            if layers:
                layers.append(ReLU() if net.activation == "ReLU" else Sigmoid())
            fc = FC(W.shape[1], W.shape[0], init="zeros", dtype=net.dtype)
            fc.W, fc.b = W, b
            layers.append(fc)
        self.model, self.loss = Sequential(*layers), SoftmaxCE()
        self.optimizer = SGD(self.model.params, LR, momentum=net.momentum)

    def load(self, repeats):
        """A data set whose rows come in the peers' order once train() has shuffled them."""
        x, y, scale = self.net.stored()
        order = np.random.default_rng(SEED).permutation(len(y) * repeats)
        rows = np.empty_like(order)
        rows[order] = np.tile(np.arange(len(y)), repeats)
        self.data = Dataset(x[rows], y[rows], scale)

    def run(self):
        options = {"epochs": 1, "batch_size": self.net.batch, "rng": SEED, "progress": False}
        clock = Clock()
        train(self.model, self.loss, self.optimizer, self.data, callbacks=[clock], **options)
        steps = len(clock.ends) - self.net.DISTINCT  # the first ones make the arrays
        return (clock.ends[-1] - clock.ends[-1 - steps]) / steps

    def weights(self):
        return [(layer.W, layer.b) for layer in self.model.layers if isinstance(layer, FC)]
