"""handgrad as its users run it: train(), on batches that lie ready in memory as its peers have them.

A step's time is that of train()'s own history: cutting the batch out, the three steps, hits, history. The first epoch
of a call, which makes the loop's arrays, is left out. What comes once an epoch or once a call is a matter of
benchmarks.epoch, as are shuffling and gathering, which its peers do there, too: an epoch here has only as many steps
as there are distinct batches.
"""

import numpy as np

from benchmarks.nets import LR
from benchmarks.peers import base
from handgrad import FC, SGD, ReLU, Sequential, Sigmoid, SoftmaxCE, train


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

        self.data = tuple(np.concatenate(arrays) for arrays in zip(*net.batches(), strict=True))

    def load(self, repeats):
        self.options = {"epochs": repeats, "batch_size": self.net.batch, "shuffle": False, "progress": False}

    def run(self):
        seconds = train(self.model, self.loss, self.optimizer, self.data, **self.options).seconds[1:]
        return sum(seconds) / (len(seconds) * self.net.DISTINCT)

    def weights(self):
        return [(layer.W, layer.b) for layer in self.model.layers if isinstance(layer, FC)]
