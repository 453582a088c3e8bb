"""Layers: one class a file, the forward and the gradient written by hand."""

from handgrad.layers.base import Layer, Param
from handgrad.layers.dropout import Dropout
from handgrad.layers.fc import FC
from handgrad.layers.flatten import Flatten
from handgrad.layers.initializers import glorot, he, zeros
from handgrad.layers.leaky_relu import LeakyReLU
from handgrad.layers.relu import ReLU
from handgrad.layers.sigmoid import Sigmoid
from handgrad.layers.softmax import Softmax
from handgrad.layers.tanh import Tanh
from handgrad.layers.workspace import Workspace

__all__ = [
    "FC",
    "Dropout",
    "Flatten",
    "Layer",
    "LeakyReLU",
    "Param",
    "ReLU",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "Workspace",
    "glorot",
    "he",
    "zeros",
]
