"""PyTorch with a DataLoader, as its tutorials have it: a data set of floats, batches put together row by row."""

import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.epochs import BATCH, LR, idx
from benchmarks.epochs.torch_tensors import accuracy, network


def main(folder):
    torch.manual_seed(0)
    x, y, test_x, test_y = map(torch.from_numpy, idx.load(folder))
    loader = DataLoader(TensorDataset(x.float() / 255, y.long()), batch_size=BATCH, shuffle=True)
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), LR)
    total, hits = 0.0, 0
    for inputs, labels in loader:
        scores = model(inputs)
        loss = cross_entropy(scores, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(inputs)
        hits += (scores.argmax(1) == labels).sum().item()
    found = accuracy(model, test_x, test_y)
    print(f"loss {total / len(x):.4f}  accuracy {hits / len(x):.1%}  test accuracy {found:.1%}")
    return found
