"""Layers: one class a file, the forward and the gradient written by hand."""

from handgrad.layers.add import Add
from handgrad.layers.base import Layer, Param
from handgrad.layers.concatenate import Concatenate
from handgrad.layers.div import Div
from handgrad.layers.dropout import Dropout
from handgrad.layers.exp import Exp
from handgrad.layers.fc import FC
from handgrad.layers.flatten import Flatten
from handgrad.layers.initializers import glorot, he, zeros
from handgrad.layers.leaky_relu import LeakyReLU
from handgrad.layers.log import Log
from handgrad.layers.matmul import MatMul
from handgrad.layers.max import Max
from handgrad.layers.mul import Mul
from handgrad.layers.neg import Neg
from handgrad.layers.power import Power
from handgrad.layers.relu import ReLU
from handgrad.layers.sigmoid import Sigmoid
from handgrad.layers.softmax import Softmax
from handgrad.layers.sub import Sub
from handgrad.layers.sum import Sum
from handgrad.layers.tanh import Tanh
from handgrad.layers.transpose import Transpose
from handgrad.layers.workspace import Workspace

__all__ = [
    "FC",
    "Add",
    "Concatenate",
    "Div",
    "Dropout",
    "Exp",
    "Flatten",
    "Layer",
    "LeakyReLU",
    "Log",
    "MatMul",
    "Max",
    "Mul",
    "Neg",
    "Param",
    "Power",
    "ReLU",
    "Sigmoid",
    "Softmax",
    "Sub",
    "Sum",
    "Tanh",
    "Transpose",
    "Workspace",
    "glorot",
    "he",
    "zeros",
]
