"""What the tests share."""

import os

if "PYTEST_XDIST_WORKER" in os.environ:  # several processes already: threads would take the cores from each other
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import signal

import numpy as np
import pytest

# Begun in the background, a process ignores Ctrl-C, and so does all that it begins.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def rng():
    return np.random.default_rng(20240229)


@pytest.fixture
def numeric_gradient():
    """dL/da of a function of no arguments, by central differences on the array `a`, edited in place."""

    def gradient(f, a, h=1e-5):
        result = np.zeros(a.shape)
        for i in np.ndindex(a.shape):
            kept = a[i]
            a[i] = kept + h
            above = f()
            a[i] = kept - h
            below = f()
            a[i] = kept
            result[i] = (above - below) / (2 * h)
        return result

    return gradient
