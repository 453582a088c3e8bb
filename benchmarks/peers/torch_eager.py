"""PyTorch, one operation after the other."""

import torch

from benchmarks.nets import LR
from benchmarks.peers import base

# Beyond the number of threads that the environment allows, PyTorch has another pool for whole operations.
torch.set_num_interop_threads(1)


def network(net):
    layers = []
    for W, b in net.weights():
        if layers:
            layers.append(torch.nn.ReLU() if net.activation == "ReLU" else torch.nn.Sigmoid())
        linear = torch.nn.Linear(W.shape[1], W.shape[0], dtype=getattr(torch, net.dtype))
        linear.load_state_dict({"weight": torch.from_numpy(W), "bias": torch.from_numpy(b)})
        layers.append(linear)
    return torch.nn.Sequential(*layers)


class Peer(base.Peer):
    def __init__(self, net):
        super().__init__(net)
        self.model = network(net)
        self.optimizer = torch.optim.SGD(self.model.parameters(), LR, net.momentum)

    def batch(self, x, y):
        return torch.from_numpy(x), torch.from_numpy(y)

    def step(self, x, y):
        self.optimizer.zero_grad()
        torch.nn.functional.cross_entropy(self.model(x), y).backward()
        self.optimizer.step()

    def weights(self):
        linear = (layer for layer in self.model if isinstance(layer, torch.nn.Linear))
        return [(layer.weight.detach().numpy(), layer.bias.detach().numpy()) for layer in linear]
