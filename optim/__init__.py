"""Optimizers: they know arrays only, no layers."""

from handgrad.optim.sgd import SGD

__all__ = ["SGD"]
