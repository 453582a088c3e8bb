"""Prints what handgrad learns, how it agrees with PyTorch, and how long its import takes."""

import argparse

from benchmarks import against_torch, import_time, learning

parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
parser.add_argument(
    "--fashion", metavar="DIR", default=learning.FASHION_MNIST, help="folder with Fashion-MNIST's IDX files"
)
parser.add_argument("--epochs", type=int, default=10, help="of Fashion-MNIST (10)")
arguments = parser.parse_args()

learning.digits()
fashion = learning.load_fashion(arguments.fashion)
if fashion:
    learning.fashion_mnist(fashion, arguments.epochs)
against_torch.compare(fashion)
import_time.compare()
