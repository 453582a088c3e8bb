"""What gradient checkers find, and how often they cry wolf: handgrad's beside the public ones, on the same layers.

    python -m benchmarks.checkers [--seeds N] [--runs N]

The layers are those of tests/corpus: planted bugs, and correct layers in awkward conditions. A public checker gets the
layer's own forward and backward, as a function of its inputs and parameters in double precision, at the base size,
with its own defaults. A checker whose package is missing is left out, by name.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import time
import warnings

import numpy as np

from handgrad import FC, gradcheck, sweep
from handgrad.checking.specimens import SPECIMENS
from handgrad.checking.subject import Subject, quiet
from handgrad.checking.targets import checks, own_layers
from handgrad.checking.values import flat
from tests.corpus import BUGS, CORRECT
from tests.mutants import mutants_of


class Wrapped:
    """A case's layer at its base size as a pure function of one vector, and its backward as that function's."""

    def __init__(self, case):
        rng = np.random.default_rng(0)
        layer = case.make(dict(case.sizes), rng)
        shapes = {
            name: [case.sizes.get(word) or int(word) for word in text.split()] for name, text in case.inputs.items()
        }
        inputs = case.point(dict(case.sizes), rng) if case.point else self._ordinary(shapes, case, rng)
        extra = case.extra(dict(case.sizes), rng) if case.extra else ()
        self.subject = Subject(layer, dict(zip(case.inputs, inputs, strict=True)), tuple(extra))
        self.point = self.subject.at_hand
        self.start = np.concatenate([array.ravel() for array in self.point.values()])
        self.shape = np.shape(self.subject.outputs(self.point)[0])

    @staticmethod
    def _ordinary(shapes, case, rng):
        bounds = case.domain or {}
        return [
            rng.uniform(0.2, 0.8, shape) if name in bounds else rng.standard_normal(shape)
            for name, shape in shapes.items()
        ]

    def _at(self, vector):
        point, start = {}, 0
        for name, array in self.point.items():
            point[name] = np.array(vector[start : start + array.size], np.float64).reshape(array.shape)
            start += array.size
        return point

    def forward(self, vector):
        return flat(self.subject.outputs(self._at(np.asarray(vector))))

    def backward(self, vector, upstream):
        upstream = np.asarray(upstream, np.float64).reshape(self.shape)
        given = [float(upstream) if not self.shape else upstream]
        gradients = self.subject.gradients(self._at(np.asarray(vector)), given)
        return np.concatenate([np.asarray(gradients[name], np.float64).ravel() for name in self.point])


def with_torch(fast):
    torch = importlib.import_module("torch")

    def passes(wrapped):
        class Function(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.x = x.detach().numpy().copy()
                return torch.from_numpy(wrapped.forward(ctx.x))

            @staticmethod
            def backward(ctx, upstream):
                return torch.from_numpy(wrapped.backward(ctx.x, upstream.numpy()))

        x = torch.tensor(wrapped.start, requires_grad=True)
        return torch.autograd.gradcheck(Function.apply, (x,), fast_mode=fast, raise_exception=False)

    return passes


def with_jax():
    jax = importlib.import_module("jax")
    check_vjp = importlib.import_module("jax.test_util").check_vjp
    jax.config.update("jax_enable_x64", True)

    def passes(wrapped):
        def forward(x):
            return wrapped.forward(np.asarray(x))

        def vjp(x):
            return forward(x), lambda upstream: (wrapped.backward(np.asarray(x), np.asarray(upstream)),)

        try:
            check_vjp(forward, vjp, (wrapped.start,))
        except AssertionError:
            return False
        return True

    return passes


def with_autograd():
    extend = importlib.import_module("autograd.extend")
    check_grads = importlib.import_module("autograd.test_util").check_grads

    def passes(wrapped):
        function = extend.primitive(wrapped.forward)
        extend.defvjp(function, lambda y, x: lambda upstream: wrapped.backward(x, upstream))
        np.random.seed(0)
        try:
            check_grads(function, modes=["rev"], order=1)(wrapped.start)
        except AssertionError:
            return False
        return True

    return passes


def with_scipy():
    check_grad = importlib.import_module("scipy.optimize").check_grad

    def passes(wrapped):
        upstream = np.random.default_rng(1).standard_normal(wrapped.forward(wrapped.start).shape)
        error = check_grad(
            lambda x: float(upstream @ wrapped.forward(x)), lambda x: wrapped.backward(x, upstream), wrapped.start
        )
        return error < 1e-5

    return passes


def with_cs231n():
    def passes(wrapped):
        """The course's rule: central differences with h = 1e-5, relative error below 1e-7."""
        upstream = np.random.default_rng(1).standard_normal(wrapped.forward(wrapped.start).shape)
        analytic = wrapped.backward(wrapped.start, upstream)
        numeric = np.empty_like(analytic)
        for i in range(len(numeric)):
            step = np.zeros_like(wrapped.start)
            step[i] = 1e-5
            numeric[i] = (
                upstream @ (wrapped.forward(wrapped.start + step) - wrapped.forward(wrapped.start - step)) / 2e-5
            )
        return np.max(np.abs(analytic - numeric) / np.maximum(1e-8, np.abs(analytic) + np.abs(numeric))) < 1e-7

    return passes


PUBLIC = {
    "torch.autograd.gradcheck": ("torch", lambda: with_torch(False)),
    "the same, fast_mode": ("torch", lambda: with_torch(True)),
    "jax.test_util.check_vjp": ("jax", with_jax),
    "autograd check_grads": ("autograd", with_autograd),
    "scipy.optimize.check_grad < 1e-5": ("scipy", with_scipy),
    "CS231n rel_error < 1e-7": ("numpy", with_cs231n),
}


def says_no(passes, case):
    """Whether a public checker objects to the case, be it by an exception."""
    try:
        with quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return not passes(Wrapped(case))
    except Exception:
        return True


def compare(seeds):
    print(f"{len(BUGS)} planted bugs, {len(CORRECT)} correct layers in awkward conditions\n")
    print(f"{'checker':<36} {'caught':>12} {'false alarms':>13} {'named right / wrong':>20}")
    for name, (package, make) in PUBLIC.items():
        try:
            passes = make()
        except ImportError:
            print(f"{name:<36} left out: pip install {package}")
            continue
        caught = sum(says_no(passes, case) for case in BUGS)
        alarms = sum(says_no(passes, case) for case in CORRECT)
        print(f"{name:<36} {caught:>5} of {len(BUGS)} {alarms:>7} of {len(CORRECT)} {'0 / 0':>20}", flush=True)
    missed, alarms, misnamed, times, named = [], [], [], [], 0
    for seed in range(seeds):
        for case in BUGS:
            report = sweep(**case.arguments(), seed=seed)
            if report.ok:
                missed.append(f"{case.name} (seed {seed})")
            cause = case.cause_in(report)
            if case.is_misnamed_by(cause):
                misnamed.append(f"{case.name} (seed {seed}): {cause} for {' or '.join(case.causes) or 'none'}")
            named += bool(cause) and not case.is_misnamed_by(cause)
        for case in CORRECT:
            start = time.perf_counter()
            report = sweep(**case.arguments(), seed=seed)
            times.append(time.perf_counter() - start)
            if not report.ok:
                alarms.append(f"{case.name} (seed {seed})")
    bugs, correct = seeds * len(BUGS), seeds * len(CORRECT)
    text = f"{bugs - len(missed):>5} of {bugs} {len(alarms):>7} of {correct} {f'{named} / {len(misnamed)}':>20}"
    print(f"{f'handgrad, {seeds} seed(s)':<36} {text}")
    for what, names in (("missed", missed), ("false alarm", alarms), ("named wrong", misnamed)):
        for name in names:
            print(f"    {what}: {name}")
    print(f"a sweep of a correct layer: median {statistics.median(times):.3f} s, longest {max(times):.2f} s")


def own(runs):
    """False alarms on the package's own layers, and the time that all of them take."""
    everything = checks(None, None)
    start, alarms, done = time.perf_counter(), [], 0
    while done < runs:
        for check in everything:
            report = check.run(seed=done, skip=(), at_kink=None)
            done += 1
            if not report.ok:
                alarms.append(f"{check.name} (seed {report.seed})")
        if done == len(everything):
            print(f"all layers and losses of the package: {time.perf_counter() - start:.1f} s")
    print(f"false alarms on them: {len(alarms)} of {done} runs {', '.join(alarms)}")


def mutants():
    killed, everything = 0, [mutant for cls in own_layers() for mutant in mutants_of(cls)]
    for mutant in everything:
        killed += any(
            sweep(
                lambda sizes, rng, mutant=mutant, specimen=specimen: specimen.make(mutant.changed, sizes, rng),
                specimen.inputs,
                specimen.sizes,
                extra=specimen.extra,
                at_kink=specimen.at_kink,
            ).findings
            for specimen in SPECIMENS[mutant.original.__name__]
        )
    print(
        f"mutants of the package's backwards killed: {killed} of {len(everything)}; the others are equivalent (tests)"
    )


def one_entry():
    """One entry of dW of FC(784, 128) wrong by 1e-4, a batch of 64."""

    class OneWrong(FC):
        def backward(self, upstream):
            dx, grads = super().backward(upstream)
            grads["W"][77, 400] += 1e-4
            return dx, grads

    rng = np.random.default_rng(0)
    layer, x = OneWrong(784, 128, rng=rng), rng.standard_normal((64, 784))
    start = time.perf_counter()
    report = gradcheck(layer, x)
    seconds = time.perf_counter() - start
    located = [finding.index for finding in report.findings if finding.kind == "value"]
    print(f"one entry of 150,000 wrong by 1e-4, at (77, 400): located {located} in {seconds:.1f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.checkers", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1, help="for the corpus (1)")
    parser.add_argument("--runs", type=int, default=200, help="of the package's own layers (200)")
    arguments = parser.parse_args()
    one_entry()
    own(arguments.runs)
    mutants()
    compare(arguments.seeds)
