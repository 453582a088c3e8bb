"""The same net, initial weights, batches and hyper-parameters in PyTorch, side by side: the losses of each step."""

import numpy as np

from benchmarks.learning import BATCH_SIZE, MOMENTUM, network
from handgrad import FC, SGD, Sequential, SoftmaxCE
from handgrad.data import Batches, Dataset

LR = 0.01
"""Half of the benchmark's: rounding takes longer to part the runs."""


def ours(model: Sequential, data: Batches, steps: int) -> list[float]:
    loss, optimizer, losses = SoftmaxCE(), SGD(model.params, LR, momentum=MOMENTUM), []
    while len(losses) < steps:
        for x, y in data:
            losses.append(loss.forward(model.forward(x), y))
            _, grads = model.backward(loss.backward())
            optimizer.step(grads)
            if len(losses) == steps:
                break
    return losses


def torchs(model: Sequential, data: Batches, steps: int) -> list[float]:
    """The losses of a PyTorch net that starts from `model`'s weights."""
    import torch

    layers: list[torch.nn.Module] = []
    for layer in model.layers:
        if isinstance(layer, FC):
            linear = torch.nn.Linear(layer.in_features, layer.out_features, dtype=getattr(torch, layer.dtype.name))
            linear.load_state_dict({"weight": torch.tensor(layer.W), "bias": torch.tensor(layer.b)})
            layers.append(linear)
        else:
            layers.append(torch.nn.ReLU())
    net = torch.nn.Sequential(*layers)
    optimizer, losses = torch.optim.SGD(net.parameters(), LR, MOMENTUM), []
    while len(losses) < steps:
        for x, y in data:
            optimizer.zero_grad()
            value = torch.nn.functional.cross_entropy(net(torch.tensor(x)), torch.tensor(y))
            value.backward()
            optimizer.step()
            losses.append(value.item())
            if len(losses) == steps:
                break
    return losses


def compare(fashion: tuple[Dataset, Dataset] | None) -> None:
    try:
        import torch
    except ImportError:
        print("\nPyTorch: skipped, it is not installed (pip install 'handgrad[torch]')")
        return
    if fashion is None:
        return
    training, _ = fashion
    print(f"\nPyTorch {torch.__version__}, the same net, weights and batches of Fashion-MNIST:")
    for dtype, steps, shown in (("float64", 100, (1, 2, 10, 100)), ("float32", 938, (1, 10, 100, 300, 938))):

        def data(dtype: str = dtype) -> Batches:
            return Batches(training.stored, training.y, BATCH_SIZE, rng=1, scale=training.scale, dtype=dtype)

        a, b = ours(network(0, dtype), data(), steps), torchs(network(0, dtype), data(), steps)
        print(f"  {dtype}:    step  handgrad loss       PyTorch loss        difference")
        for step in shown:
            print(f"  {step:15}  {a[step - 1]:.15f}  {b[step - 1]:.15f}  {abs(a[step - 1] - b[step - 1]):.1e}")
        apart = np.maximum.accumulate(np.abs(np.subtract(a, b)))
        print("  largest difference so far: " + ", ".join(f"{apart[n - 1]:.1e} by step {n}" for n in shown))
    # What is left is rounding: it moves a ReLU's input across 0 now and then, and the runs part from there.
    exact = ours(network(0, "float64"), data("float64"), steps)
    for name, losses in (("handgrad", a), ("PyTorch", b)):
        parted = np.flatnonzero(np.abs(np.subtract(losses, exact)) > 1e-5)
        print(
            f"  {name} in float32 is 1e-5 off the float64 run from step {parted[0] + 1 if len(parted) else 'none'} on"
        )
