"""handgrad: a NumPy layer framework in which every gradient is written by hand."""

import sys

from handgrad import interrupts
from handgrad.assignment import importing

if importing.program() in ("handgrad", "handgrad-script"):  # the command, whose main comes after all imports
    interrupts.end_at_once()

if importing.is_handout():  # a part that the student has broken must not keep the others from being checked
    importing.prepare()

from handgrad.graph import Graph, Input, concatenate, exp, log, maximum
from handgrad.history import History
from handgrad.jacobian import jacobian
from handgrad.layers import FC, Dropout, Flatten, Layer, LeakyReLU, Param, ReLU, Sigmoid, Softmax, Tanh
from handgrad.losses import MSE, BinaryCE, Loss, SoftmaxCE
from handgrad.model import Sequential
from handgrad.monitor import Monitor
from handgrad.optim import SGD
from handgrad.pictures import weight_images
from handgrad.train import Callback, NonFiniteLoss, evaluate, train

# `python -m handgrad.gradcheck` imports the package first, and must not find the module it is about to run.
if sys.argv[:1] != ["-m"] or "handgrad.gradcheck" not in sys.orig_argv:
    from handgrad.gradcheck import assert_gradients, gradcheck, sweep

__version__ = "0.1.0"

__all__ = [
    "FC",
    "MSE",
    "SGD",
    "BinaryCE",
    "Callback",
    "Dropout",
    "Flatten",
    "Graph",
    "History",
    "Input",
    "Layer",
    "LeakyReLU",
    "Loss",
    "Monitor",
    "NonFiniteLoss",
    "Param",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "SoftmaxCE",
    "Tanh",
    "__version__",
    "assert_gradients",
    "concatenate",
    "evaluate",
    "exp",
    "gradcheck",
    "jacobian",
    "log",
    "maximum",
    "sweep",
    "train",
    "weight_images",
]
