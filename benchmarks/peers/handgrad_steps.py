"""handgrad's three steps alone, on batches in memory as its peers have them, with the arrays that train() reuses."""

from benchmarks.peers import base, handgrad_train
from handgrad.train import _owned_memory


class Peer(handgrad_train.Peer):
    load = base.Peer.load

    def __init__(self, net):
        super().__init__(net)
        self.memory = _owned_memory(self.model, self.loss)
        self.memory.__enter__()  # for as long as the process lives, as its peers keep theirs

    def run(self):
        model, loss, optimizer = self.model, self.loss, self.optimizer
        for x, y in self.batches:
            loss.forward(model.forward(x), y)
            _, grads = model.backward(loss.backward())
            optimizer.step(grads)
