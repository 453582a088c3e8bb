"""Who is measured. Each has one file here with a class Peer, which is imported in a process of its own only."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from benchmarks.nets import NO_MOMENTUM, PRODUCTS

HANDGRAD = "handgrad"
STEPS_ALONE = "handgrad, steps alone"
CALLS_ALONE = "handgrad, NumPy's calls alone"


@dataclass(frozen=True)
class Entry:
    name: str
    file: str
    package: str = "numpy"
    """Its name on the package index, which `pip install` takes."""
    module: str = ""
    """What is imported, where that is called otherwise."""
    settings: tuple[str, ...] = ("1 thread", "2 threads")
    """All are tried on each net, and the fastest is the one that counts."""

    @property
    def installed(self) -> bool:
        return importlib.util.find_spec(self.module or self.package) is not None

    @property
    def competes(self) -> bool:
        """Whether it is a peer, and not handgrad or the limit."""
        return self.name != PRODUCTS and not self.name.startswith(HANDGRAD)


ENTRIES = [
    Entry(PRODUCTS, "products"),
    Entry(HANDGRAD, "handgrad_train"),
    Entry(STEPS_ALONE, "handgrad_steps"),
    Entry(NO_MOMENTUM, "handgrad_train"),
    Entry(CALLS_ALONE, "numpy_calls"),
    Entry("plain NumPy", "numpy_loop"),
    Entry("PyTorch compiled", "torch_compiled", "torch"),
    Entry("PyTorch eager", "torch_eager", "torch"),
    Entry("JAX", "jax_jit", "jax", settings=("1 cpu", "2 threads")),
    Entry("scikit-learn", "sklearn_mlp", "scikit-learn", "sklearn"),
    Entry("Thinc", "thinc_model", "thinc"),
    Entry("MyGrad", "mygrad_tensors", "mygrad"),
    Entry("autograd", "autograd_grad", "autograd"),
]
