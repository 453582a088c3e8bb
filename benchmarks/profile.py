"""Where the time of one step of train() goes, for a net of images and for a toy.

    python -m benchmarks.profile [--rounds N]

By kind of work, each measured alone, in turn with the others:

    matrix products     the step's products in the fastest layout, see peers/products.py
    Python              a step of the same layers of width 2 on a batch of 2, where nothing but the calls is left
    elementwise, rest   what is left of the step: activations, biases, softmax, update, slower products, cache misses

And by place, with a clock around each call, which itself takes a fraction of a microsecond. The number of threads is
what the environment says (OPENBLAS_NUM_THREADS), or the library's own choice.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from statistics import median

from benchmarks import machine
from benchmarks.nets import DEEP, TOY, Net
from benchmarks.peers import handgrad_train, products

NETS = [Net(DEEP, "ReLU", 64), Net(TOY, "ReLU", 32)]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30, metavar="N", help="how many (30)")
    rounds = parser.parse_args().rounds
    print(f"{machine.description(['numpy'])}; microseconds a step, medians of {rounds} rounds")
    for net in NETS:
        print(f"\n{net.name}")
        table(by_kind(net, rounds))
        print()
        table(by_place(net, rounds))


def table(parts: dict[str, float]) -> None:
    """The parts of a step in microseconds, and as shares of their sum."""
    total = sum(parts.values())
    for name, part in parts.items():
        print(f"  {name:<40}{part:8.1f}{part / total:7.0%}")
    print(f"  {'train(), a step':<40}{total:8.1f}")


def by_kind(net: Net, rounds: int) -> dict[str, float]:
    tiny = replace(net, sizes=(2,) * len(net.sizes), batch=2)
    limit, small, whole = products.Peer(net), handgrad_train.Peer(tiny), handgrad_train.Peer(net)
    for peer in (limit, small, whole):
        peer.load(net.repeats)
    steps = net.repeats * net.DISTINCT
    rows = [(seconds(limit.run) / steps, small.run(), whole.run()) for _ in range(rounds)]
    product, python, total = (1e6 * median(column) for column in zip(*rows, strict=True))
    return {"matrix products": product, "Python": python, "elementwise, rest": total - product - python}


def by_place(net: Net, rounds: int) -> dict[str, float]:
    peer = handgrad_train.Peer(net)
    peer.load(net.repeats)
    clock: dict[str, list[float]] = defaultdict(list)
    for i, layer in enumerate(peer.model.layers):
        for method in ("forward", "backward"):
            setattr(layer, method, clocked(getattr(layer, method), clock[f"{i} {layer!r} {method}"]))
    for method in ("forward", "backward"):
        setattr(peer.loss, method, clocked(getattr(peer.loss, method), clock[f"{peer.loss!r} {method}"]))
    peer.optimizer.step = clocked(peer.optimizer.step, clock["SGD step"])
    passes = []
    for _ in range(rounds):
        for times in clock.values():
            times.clear()
        total = peer.run()
        parts = {place: 1e6 * sum(times) / len(times) for place, times in clock.items()}
        passes.append(parts | {"Sequential, hits, history": 1e6 * total - sum(parts.values())})
    return {place: median(one[place] for one in passes) for place in passes[0]}


def clocked(function: Callable, times: list[float]) -> Callable:
    """The same function, which also writes down how long each call took."""

    def timed(*arguments):
        start = time.perf_counter()
        result = function(*arguments)
        times.append(time.perf_counter() - start)
        return result

    return timed


def seconds(function: Callable[[], None]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
