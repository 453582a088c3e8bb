"""handgrad as its users run it: one epoch of train().

The time of a pass is that of the whole call: shuffling, gathering each batch from a data set of bytes, the three
steps, hits and history; and once a call the making of the loop's arrays and the look for weights that are not
finite. Its peers find their batches ready in memory, so that handgrad carries more than they do.
"""

import numpy as np

from benchmarks.nets import LR
from benchmarks.peers import base
from handgrad import FC, SGD, ReLU, Sequential, Sigmoid, SoftmaxCE, train
from handgrad.data import Dataset

SEED = 0


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
        train(self.model, self.loss, self.optimizer, self.data, **options)

    def weights(self):
        return [(layer.W, layer.b) for layer in self.model.layers if isinstance(layer, FC)]
