"""scikit-learn's MLPClassifier. partial_fit() of the whole data set goes over it once in mini-batches: a pass."""

import numpy as np
from sklearn.neural_network import MLPClassifier

from benchmarks.nets import LR
from benchmarks.peers import base


class Peer(base.Peer):
    def __init__(self, net):
        super().__init__(net)
        self.model = MLPClassifier(
            net.sizes[1:-1],
            activation="relu" if net.activation == "ReLU" else "logistic",
            solver="sgd",
            alpha=0,
            batch_size=net.batch,
            learning_rate_init=LR,
            momentum=net.momentum,
            nesterovs_momentum=False,
            shuffle=False,
        )
        # It makes its arrays in the first step, and has no other way to be given weights.
        x, y = net.batches()[0]
        self.model.partial_fit(x, y, classes=np.arange(net.sizes[-1]))
        for i, (W, b) in enumerate(net.weights()):
            self.model.coefs_[i][...], self.model.intercepts_[i][...] = W.T, b
        for velocity in self.model._optimizer.velocities:
            velocity[...] = 0

    def load(self, repeats):
        x, y = zip(*self.net.batches(), strict=True)
        self.x, self.y = np.concatenate(x * repeats), np.concatenate(y * repeats)

    def run(self):
        self.model.partial_fit(self.x, self.y)

    def weights(self):
        return [(W.T, b) for W, b in zip(self.model.coefs_, self.model.intercepts_, strict=True)]
