"""The same nets in PyTorch, where it is installed (the extra handgrad[torch])."""

import numpy as np
import pytest

from handgrad import FC, MSE, SGD, BinaryCE, LeakyReLU, ReLU, Sequential, Sigmoid, Softmax, SoftmaxCE, Tanh
from handgrad.data import batches, digits

torch = pytest.importorskip("torch")
F = torch.nn.functional


def peer(model, dtype):
    """A PyTorch net with the same weights."""
    layers = []
    for layer in model.layers:
        if isinstance(layer, FC):
            linear = torch.nn.Linear(layer.in_features, layer.out_features, dtype=dtype)
            linear.load_state_dict({"weight": torch.tensor(layer.W), "bias": torch.tensor(layer.b)})
            layers.append(linear)
        else:
            names = {ReLU: torch.nn.ReLU, Tanh: torch.nn.Tanh, Sigmoid: torch.nn.Sigmoid}
            layers.append(names[type(layer)]())
    return torch.nn.Sequential(*layers)


@pytest.mark.parametrize(
    ("layer", "function"),
    [
        (ReLU(), F.relu),
        (LeakyReLU(0.2), lambda x: F.leaky_relu(x, 0.2)),
        (Sigmoid(), torch.sigmoid),
        (Tanh(), torch.tanh),
        (Softmax(), lambda x: F.softmax(x, -1)),
    ],
)
@pytest.mark.parametrize("scale", [1, 30, 1e4])
def test_layers(layer, function, scale, rng):
    x, upstream = scale * rng.standard_normal((5, 6)), rng.standard_normal((5, 6))
    x[0, :3] = 0
    t = torch.tensor(x, requires_grad=True)
    y = function(t)
    y.backward(torch.tensor(upstream))
    np.testing.assert_allclose(layer.forward(x), y.detach().numpy(), rtol=1e-10, atol=1e-300)
    np.testing.assert_allclose(layer.backward(upstream)[0], t.grad.numpy(), rtol=1e-8, atol=1e-14)


@pytest.mark.parametrize(
    ("loss", "function", "labels"),
    [
        (SoftmaxCE(), F.cross_entropy, lambda rng: rng.integers(0, 4, 6)),
        (SoftmaxCE(), F.cross_entropy, lambda rng: rng.dirichlet(np.ones(4), 6)),
        (BinaryCE(), F.binary_cross_entropy_with_logits, lambda rng: rng.uniform(size=(6, 4))),
        (MSE(), F.mse_loss, lambda rng: rng.standard_normal((6, 4))),
    ],
)
@pytest.mark.parametrize("scale", [1, 100])
def test_losses(loss, function, labels, scale, rng):
    scores, y = scale * rng.standard_normal((6, 4)), labels(rng)
    t = torch.tensor(scores, requires_grad=True)
    value = function(t, torch.tensor(y))
    value.backward()
    assert loss.forward(scores, y) == pytest.approx(value.item(), rel=1e-12)
    np.testing.assert_allclose(loss.backward(), t.grad.numpy(), rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("options", [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}])
def test_the_first_hundred_losses_of_training_agree_to_1e_10(options):
    rng = np.random.default_rng(0)
    model = Sequential(FC(64, 32, rng=rng), ReLU(), FC(32, 16, rng=rng), Tanh(), FC(16, 10, rng=rng)).astype("f8")
    net = peer(model, torch.float64)
    loss, sgd = SoftmaxCE(), SGD(model.params, 0.1, decay="all", **options)
    torch_sgd = torch.optim.SGD(net.parameters(), 0.1, **options)
    losses, torch_losses = [], []
    data = batches(*digits()[0], 64, rng=1, dtype=np.float64)
    while len(losses) < 100:
        for x, y in data:
            losses.append(loss.forward(model.forward(x), y))
            sgd.step(model.backward(loss.backward())[1])
            torch_sgd.zero_grad()
            value = F.cross_entropy(net(torch.tensor(x)), torch.tensor(y))
            value.backward()
            torch_sgd.step()
            torch_losses.append(value.item())
    np.testing.assert_allclose(losses[:100], torch_losses[:100], rtol=0, atol=1e-10)
