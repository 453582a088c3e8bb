"""handgrad: a NumPy layer framework in which every gradient is written by hand."""

from handgrad.layers import FC, Dropout, Flatten, Layer, LeakyReLU, Param, ReLU, Sigmoid, Softmax, Tanh
from handgrad.losses import MSE, BinaryCE, Loss, SoftmaxCE
from handgrad.model import Sequential
from handgrad.optim import SGD

__version__ = "0.1.0"

__all__ = [
    "FC",
    "MSE",
    "SGD",
    "BinaryCE",
    "Dropout",
    "Flatten",
    "Layer",
    "LeakyReLU",
    "Loss",
    "Param",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "SoftmaxCE",
    "Tanh",
    "__version__",
]
