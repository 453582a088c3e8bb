"""Losses: one a file, each with the gradient by its scores written by hand."""

from handgrad.losses.base import Loss
from handgrad.losses.binary_ce import BinaryCE
from handgrad.losses.mse import MSE
from handgrad.losses.softmax_ce import SoftmaxCE

__all__ = ["MSE", "BinaryCE", "Loss", "SoftmaxCE"]
