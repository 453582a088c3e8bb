"""The checker against planted bugs, correct layers that make checkers cry wolf, and mutants of our own backwards."""

import functools

import numpy as np
import pytest
from corpus import BUGS, CORRECT
from mutants import mutants_of
from sampling import some

from handgrad import sweep
from handgrad.checking.specimens import SPECIMENS
from handgrad.checking.targets import own_layers

MUTANTS = some([mutant for cls in own_layers() for mutant in mutants_of(cls)], 5)
TRIED = some(BUGS, 5)


def test_the_corpus_is_large_enough():
    assert len(BUGS) >= 80 and len(CORRECT) >= 25
    assert len({case.name for case in (*BUGS, *CORRECT)}) == len(BUGS) + len(CORRECT)


@pytest.mark.parametrize("case", TRIED, ids=lambda case: case.name)
def test_a_planted_bug_is_caught(case):
    report = _report_of(case)
    assert report.findings, f"seed 0, nothing found:\n{report}"


@pytest.mark.parametrize("case", TRIED, ids=lambda case: case.name)
def test_a_cause_that_is_named_is_a_true_one(case):
    report = _report_of(case)
    cause = case.cause_in(report)
    assert not case.is_misnamed_by(cause), f"seed 0: [{cause}] for one of {case.causes}\n{report}"


def test_nine_bugs_of_ten_are_named():
    asked = [case for case in TRIED if case.causes]
    unnamed = [case.name for case in asked if case.cause_in(_report_of(case)) not in case.causes]
    assert len(unnamed) <= len(asked) / 10, f"seed 0: {len(unnamed)} of {len(asked)} not named: {unnamed}"


@pytest.mark.parametrize("case", CORRECT, ids=lambda case: case.name)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_correct_layer_passes(case, seed):
    report = sweep(**case.arguments(), seed=seed)
    assert report.ok, f"seed {seed}\n{report}"


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_a_mutant_is_killed_and_an_equivalent_one_passes(mutant):
    specimens = SPECIMENS[mutant.original.__name__]
    equivalent = all(_same_results(mutant, specimen) for specimen in specimens)
    killed = any(_report(mutant.changed, specimen).findings for specimen in specimens)
    assert killed != equivalent, f"equivalent: {equivalent}, killed: {killed}"


@functools.cache
def _report_of(bug):
    return sweep(**bug.arguments())


def _report(cls, specimen):
    return sweep(
        lambda sizes, rng: specimen.make(cls, sizes, rng),
        specimen.inputs,
        specimen.sizes,
        extra=specimen.extra,
        at_kink=specimen.at_kink,
        domain=specimen.domain,
    )


def _same_results(mutant, specimen):
    """Whether original and mutant return the same for many inputs: an oracle that knows nothing of derivatives."""
    for seed in range(12):
        results = []
        for cls in (mutant.original, mutant.changed):
            rng = np.random.default_rng(seed)
            sizes = {**specimen.sizes, "N": 1 + seed % 4}
            layer = specimen.make(cls, sizes, rng).astype(np.float64)
            for name in layer.params:
                layer.params[name] = rng.standard_normal(layer.params[name].shape)
            xs = [_values(name, text, specimen, sizes, rng, seed) for name, text in specimen.inputs.items()]
            extra = specimen.extra(sizes, rng) if specimen.extra else ()
            y = layer.forward(*xs, *extra)
            upstream = rng.standard_normal(np.shape(y)) if np.ndim(y) else -1.7
            try:
                with np.errstate(all="ignore"):
                    default = [layer.backward()] if specimen.extra else []
                    once, twice = layer.backward(upstream), layer.backward(upstream)
            except Exception:
                return False
            results.append([*_arrays(once), *_arrays(twice), *default, y, *xs])
        if len(results[0]) != len(results[1]) or not all(map(_equal, *results)):
            return False
    return True


def _values(name, shape, specimen, sizes, rng, seed):
    """Small, larger or large values of an input, whole numbers at times, in its domain."""
    x = rng.standard_normal([sizes.get(symbol) or int(symbol) for symbol in shape.split()]) * [1, 30, 1e3][seed % 3]
    x = np.round(x) if seed % 2 else x
    low, high = (specimen.domain or {}).get(name, (None, None))
    x = x if low is None else np.abs(x) + low + 0.1
    return x if high is None else np.minimum(x, high)


def _arrays(returned):
    if not isinstance(returned, tuple):
        return [returned]
    dx, grads = returned
    return [*(dx if isinstance(dx, tuple) else (dx,)), *grads.values()]


def _equal(a, b):
    return np.shape(a) == np.shape(b) and np.allclose(a, b, rtol=1e-12, atol=0, equal_nan=True)
