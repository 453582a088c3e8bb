"""Thinc: layers in a chain, whose update is callbacks in a row."""

from thinc.api import SGD, CategoricalCrossentropy, NumpyOps, Relu, Sigmoid, Softmax, chain, set_current_ops

from benchmarks.nets import LR
from benchmarks.peers import base

# NumPy's products rather than those of its own package blis, which has one thread and is slower.
OPS = NumpyOps(use_blis=False)
set_current_ops(OPS)


class Peer(base.Peer):
    def __init__(self, net):
        super().__init__(net)
        if net.momentum or net.dtype != "float32":
            raise base.Unsupported
        hidden = Relu if net.activation == "ReLU" else Sigmoid
        *inner, last = zip(net.sizes[1:], net.sizes, strict=False)
        self.layers = [hidden(n, m) for n, m in inner] + [Softmax(*last)]
        self.model = chain(*self.layers) if inner else self.layers[0]
        self.model.initialize()
        for layer, (W, b) in zip(self.layers, net.weights(), strict=True):
            layer.set_param("W", W)
            layer.set_param("b", b)
        self.loss = CategoricalCrossentropy()
        self.optimizer = SGD(LR, L2=0, grad_clip=0, use_averages=False)

    def step(self, x, y):
        guesses, backprop = self.model.begin_update(x)
        backprop(self.loss.get_grad(guesses, y))
        self.model.finish_update(self.optimizer)

    def weights(self):
        return [(layer.get_param("W"), layer.get_param("b")) for layer in self.layers]
