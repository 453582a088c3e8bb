"""PyTorch without a DataLoader: the pixels stay bytes in one tensor, from which each batch is indexed."""

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from benchmarks.epochs import BATCH, LR, SIZES, idx


def network():
    inputs, first, second, classes = SIZES
    return nn.Sequential(
        nn.Linear(inputs, first), nn.ReLU(), nn.Linear(first, second), nn.ReLU(), nn.Linear(second, classes)
    )


def accuracy(model, x, y):
    hits = 0
    with torch.no_grad():
        for rows, labels in zip(x.split(1024), y.split(1024), strict=True):
            hits += (model(rows.float() / 255).argmax(1) == labels).sum().item()
    return hits / len(y)


def main(folder):
    torch.manual_seed(0)
    x, y, test_x, test_y = map(torch.from_numpy, idx.load(folder))
    y, test_y = y.long(), test_y.long()
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), LR)
    total, hits = 0.0, 0
    for rows in torch.randperm(len(x)).split(BATCH):
        labels = y[rows]
        scores = model(x[rows].float() / 255)
        loss = cross_entropy(scores, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
        hits += (scores.argmax(1) == labels).sum().item()
    found = accuracy(model, test_x, test_y)
    print(f"loss {total / len(x):.4f}  accuracy {hits / len(x):.1%}  test accuracy {found:.1%}")
    return found
