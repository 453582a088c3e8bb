"""handgrad as its users run it: train(), on batches that lie ready in memory as its peers have them.

The time of a step is taken inside of the call, from the start of an epoch to the end of its last step: cutting the
batch out, the three steps, hits, history and a callback. What comes once an epoch or once a call (looking at the
weights, making the loop's arrays) is a matter of benchmarks.epoch, as are shuffling and gathering, which its peers do
there, too: an epoch here has only as many steps as there are distinct batches.
"""

import time

import numpy as np

from benchmarks.nets import LR
from benchmarks.peers import base
from handgrad import FC, SGD, ReLU, Sequential, Sigmoid, SoftmaxCE, train
from handgrad.train import Callback


class Clock(Callback):
    """The seconds that the epochs' steps took, without the first epoch's, which make the arrays."""

    def __init__(self):
        self.seconds, self.steps = 0.0, 0

    def on_step(self, run):
        self.end = time.perf_counter()

    def on_epoch(self, run):
        if run.epoch > 1:
            self.seconds += self.end - self.start
            self.steps += len(run.history.step_loss) // run.epoch
        self.start = time.perf_counter()


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
        x, y = (np.concatenate(arrays) for arrays in zip(*self.net.batches(), strict=True))
        self.data, self.epochs = (x, y), repeats

    def run(self):
        options = {"epochs": self.epochs, "batch_size": self.net.batch, "shuffle": False, "progress": False}
        clock = Clock()
        train(self.model, self.loss, self.optimizer, self.data, callbacks=[clock], **options)
        return clock.seconds / clock.steps

    def weights(self):
        return [(layer.W, layer.b) for layer in self.model.layers if isinstance(layer, FC)]
