"""The number of BLAS threads: set for a run, chosen, and put back."""

import itertools

import numpy as np
import pytest

from handgrad import FC, SGD, Callback, Sequential, SoftmaxCE, train
from handgrad.blas import get_threads, set_threads
from handgrad.threads import SMALL, Threads

needs_control = pytest.mark.skipif(get_threads() is None, reason="NumPy's BLAS does not say how many threads it has")


@pytest.fixture
def two():
    """Two threads, whatever the machine has."""
    before = get_threads()
    set_threads(2)
    yield
    set_threads(before)


def small_run(**options):
    seen = []

    class Watch(Callback):
        def on_step(self, run):
            seen.append(get_threads())

    model = Sequential(FC(6, 3, rng=0))
    x, y = np.ones((8, 6)), np.zeros(8, int)
    train(model, SoftmaxCE(), SGD(model.params, 0.1), (x, y), epochs=1, callbacks=[Watch()], progress=False, **options)
    return seen


@needs_control
def test_small_products_run_on_one_thread_and_the_users_setting_comes_back(two):
    assert small_run() == [1] and get_threads() == 2
    assert small_run(threads=2) == [2] and get_threads() == 2
    with pytest.raises(ValueError, match="input must be"):
        model = Sequential(FC(5, 3))
        train(model, SoftmaxCE(), SGD(model.params, 0.1), (np.ones((8, 6)), np.zeros(8, int)), progress=False)
    assert get_threads() == 2


@pytest.mark.parametrize("threads", [0, -1, 2.0, True, "2"])
def test_threads_that_make_no_sense(threads):
    with pytest.raises(ValueError, match="threads must be a whole number >= 1 or None, got"):
        small_run(threads=threads)


def test_a_blas_that_cannot_be_told(monkeypatch):
    monkeypatch.setattr("handgrad.blas.BLAS", None)
    assert small_run() == [None] and get_threads() is None
    with pytest.raises(ValueError, match="threads can be set for OpenBLAS and MKL only"):
        small_run(threads=1)


def steps(threads, count, seconds):
    """The number of threads that each of `count` steps runs on, when `seconds` says how long it takes on how many."""
    ran = []
    for _ in range(count):
        ran.append(get_threads())
        threads.took(seconds(ran[-1]))
    return ran


@needs_control
def test_large_products_run_on_what_is_quicker(two):
    with Threads(None, SMALL) as threads:
        ran = steps(threads, 400, lambda n: 1.0 / n)
        assert ran[:4] == [2, 1, 1, 1] and ran[4:].count(2) > 390
    with Threads(None, SMALL) as threads:
        ran = steps(threads, 400, lambda n: 1.0 * n)
        assert ran[:4] == [2, 1, 1, 1] and ran.count(2) < 60
    with Threads(None, SMALL) as threads:
        clock = itertools.count()
        ran = steps(threads, 400, lambda n: 5.0 if next(clock) % 50 == 40 else 1.0 / n)
        assert ran.count(2) > 350  # now and then a slow step is no reason
    assert get_threads() == 2


@needs_control
def test_a_busy_machine_costs_few_slow_steps(two):
    with Threads(None, SMALL) as threads:
        steps(threads, 20, lambda n: 1.0 / n)
        ran = steps(threads, 10_000, lambda n: 100.0 if n == 2 else 1.0)  # another process comes
        assert ran.count(2) < 10
        ran = steps(threads, 10_000, lambda n: 1.0 / n)  # and goes
        assert set(ran[-4000:]) <= {1, 2} and ran[-4000:].count(2) > 3900
