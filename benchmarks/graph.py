"""What a Graph costs beside the Sequential of the same layers: a step of train(), in turn, in one process.

python -m benchmarks.graph [--rounds N]
"""

from __future__ import annotations

import argparse
from statistics import median

from benchmarks import machine
from benchmarks.nets import DEEP, TOY, Net
from benchmarks.peers import handgrad_train
from handgrad import SGD, Graph, Input

NETS = [Net(DEEP, "ReLU", 64), Net(TOY, "ReLU", 32)]


class AsGraph(handgrad_train.Peer):
    def __init__(self, net: Net) -> None:
        super().__init__(net)
        self.layers = self.model.layers
        x = node = Input("x")
        for layer in self.layers:
            node = layer(node)
        self.model = Graph(x, node)
        self.optimizer = SGD(self.model.params, self.optimizer.lr)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.graph", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30, metavar="N", help="how many (30)")
    rounds = parser.parse_args().rounds
    print(f"{machine.description(['numpy'])}; microseconds a step, medians of {rounds} rounds")
    for net in NETS:
        peers = handgrad_train.Peer(net), AsGraph(net)
        for peer in peers:
            peer.load(net.repeats)
            peer.run()
        rows = [[peer.run() for peer in peers] for _ in range(rounds)]
        sequential, graph = (1e6 * median(column) for column in zip(*rows, strict=True))
        ratio = median(g / s for s, g in rows)
        print(f"{net.name}: Sequential {sequential:.1f}, Graph {graph:.1f}; {ratio:.3f} x as long")


if __name__ == "__main__":
    main()
