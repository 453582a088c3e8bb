"""The numeric gradient checker: whether every backward is the derivative of its forward, and if not, why.

    gradcheck(layer, x)                     a layer at your own point, and around it
    sweep(make, {"x": "N D"}, {"N": 4, "D": 5})     rebuilt at many sizes
    assert_gradients(layer, x)              the same in a test
    python gradcheck.py layers/fc.py        on the command line

The story is told here; its parts are in the folder `checking`: a layer seen as a pure function (subject), at which
sizes and where to look (settings, points), numeric derivatives that know their error (numeric), right values (values,
kinks, rounding), the other promises of a layer (contract), what went wrong (diagnosis and its catalogue), and how it
is told (report, command).
"""

from __future__ import annotations

if __name__ == "__main__":  # python gradcheck.py: the folder it lies in is the package, installed or not
    import importlib.util
    import sys
    from pathlib import Path

    root = Path(__file__).resolve().parent
    sys.path[:] = [folder for folder in sys.path if Path(folder or ".").resolve() != root]
    spec = importlib.util.spec_from_file_location(
        "handgrad", root / "__init__.py", submodule_search_locations=[str(root)]
    )
    assert spec is not None and spec.loader is not None
    sys.modules["handgrad"] = package = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)
    from handgrad.checking.command import main

    sys.exit(main())

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from handgrad.checking import points
from handgrad.checking.examination import Examination, point_at
from handgrad.checking.options import Options
from handgrad.checking.points import Sizes
from handgrad.checking.report import Finding, Report
from handgrad.checking.settings import Builder, Setting, check_variants, first_rows, has_rows_as_input, one_row_fewer
from handgrad.checking.subject import LayerError, Subject, as_real, describe, input_names, quiet

__all__ = ["Finding", "Report", "assert_gradients", "gradcheck", "sweep"]

Domain = Mapping[str, tuple[float | None, float | None]]


def gradcheck(
    layer: Any,
    *inputs: npt.ArrayLike,
    extra: Sequence[Any] = (),
    upstream: npt.ArrayLike | tuple[npt.ArrayLike, ...] | None = None,
    domain: Domain | None = None,
    at_kink: str | None = None,
    skip: Sequence[str] = (),
    seed: int = 0,
    reference: Callable[..., Any] | None = None,
) -> Report:
    """Checks a layer at your own point and around it: other values, a batch of one, and its contract.

    `layer` is anything with `forward(*inputs, *extra)`, `backward(upstream)` and, if it has parameters, a mapping
    `params` of names to the arrays that forward reads. backward may return (dx, grads), ((da, db), grads) or just dx.
    Nothing of yours is changed: copies are checked.

    inputs: arrays of real numbers. extra: what forward takes besides (labels). upstream: dL/dy at your point, by
    default random; -1.7 for a loss; a tuple of them where forward returns several arrays. domain: {"p": (0, 1)}, the
    open interval an input or parameter must stay in.
    at_kink: "left", "right" or "mean" fixes the derivative at a kink; otherwise any subgradient is right.
    skip: items of the contract to leave out, of handgrad.checking.contract.ITEMS. seed: same seed, same report.
    reference: (layer, *inputs, *extra) -> what forward must give, where that is known; else a wrong forward with a
    backward to match passes.

    Raises ValueError or TypeError for arguments it cannot use. What is wrong with the layer is in the report.
    """
    options = Options.checked(domain, at_kink, skip, seed, reference)
    if not inputs:
        raise ValueError("gradcheck(layer, x, ...): expected the inputs at which to check, got none")
    if not isinstance(extra, tuple | list):
        raise TypeError(f"extra must be a tuple of what forward takes after the inputs, got {type(extra).__name__}")
    subject = Subject(layer, dict(zip(input_names(layer, len(inputs)), inputs, strict=True)), extra)
    options.must_hold(subject.at_hand)
    several = upstream if isinstance(upstream, tuple) else (upstream,)
    given = None if upstream is None else [as_real(u, "upstream") for u in several]
    with quiet():
        examination = Examination(layer, options, reference)
        own = Setting(
            subject, {}, "", is_own=True, reproduce=f"gradcheck({describe(layer)}, ...{options.as_arguments})"
        )
        own.resized = lambda: one_row_fewer(own)
        if not examination.first_look(own):
            return examination.concluded()
        if given is not None:
            _must_fit(given, subject)
        if examination.look(own, "at your point", subject.at_hand, upstream=given, is_own=True, every_entry=True):
            _look_around(examination, own)
            single = _batch_of_one(examination, own)
            if single is not None:
                _look_around(examination, single)
        return examination.concluded()


def sweep(
    make: Callable[[Sizes, np.random.Generator], Any],
    inputs: Mapping[str, str],
    sizes: Mapping[str, int],
    *,
    extra: Callable[[Sizes, np.random.Generator], Sequence[Any]] | None = None,
    point: Callable[[Sizes, np.random.Generator], Sequence[npt.ArrayLike]] | None = None,
    domain: Domain | None = None,
    variants: Sequence[Mapping[str, int]] | None = None,
    at_kink: str | None = None,
    skip: Sequence[str] = (),
    seed: int = 0,
    reference: Callable[..., Any] | None = None,
) -> Report:
    """Checks a layer rebuilt at many sizes: the given ones, each symbol 1, all equal, and all different primes.

        sweep(lambda sizes, rng: FC(sizes["D"], sizes["M"], rng=rng), {"x": "N D"}, {"N": 4, "D": 5, "M": 3})

    make(sizes, rng) -> layer. inputs: the shape of each in the symbols of `sizes`; the first symbol of the first is
    the batch. extra(sizes, rng) -> what forward takes besides. point(sizes, rng) -> the inputs to begin with, by
    default standard normal. variants: other sizes to try, each a part of `sizes`. A size that the layer refuses is left
    out, which the report notes. The rest is as for `gradcheck`.
    """
    options = Options.checked(domain, at_kink, skip, seed, reference)
    build = Builder(make, inputs, sizes, extra, point, options)
    check_variants(variants, build.sizes)
    base = build({})
    options.must_name(base.subject.at_hand)
    with quiet():
        examination = Examination(base.subject.layer, options, reference)
        first = "at the given point" if point else "ordinary values"
        if not examination.first_look(base) or not examination.look(
            base, first, base.subject.at_hand, is_own=True, every_entry=True
        ):
            return examination.concluded()
        _look_around(examination, base)
        for relabelled in build.relabelled(base):
            examination.look(relabelled, "ordinary values", relabelled.subject.at_hand)
        for partial in points.size_variants(build.sizes) if variants is None else variants:
            setting = _variant(examination, build, partial, base)
            if setting is None or not examination.look(setting, "ordinary values", setting.subject.at_hand):
                continue
            if setting.is_own:
                _look_around(examination, setting)
            for relabelled in build.relabelled(setting):
                examination.look(relabelled, "ordinary values", relabelled.subject.at_hand)
        return examination.concluded()


def assert_gradients(*arguments: Any, **options: Any) -> None:
    """`gradcheck`, or `sweep` when the first argument is a function that makes layers, for use in tests.

    Raises AssertionError with the report as its text unless everything is right and resolved.
    """
    is_sweep = "make" in options or "inputs" in options or isinstance(next(iter(arguments[1:]), None), Mapping)
    report = sweep(*arguments, **options) if is_sweep else gradcheck(*arguments, **options)
    assert report.ok, f"\n{report}"


def _look_around(examination: Examination, setting: Setting) -> None:
    """Ordinary, special and extreme values, with parameters that hide nothing; then the contract."""
    subject, options = setting.subject, examination.options
    rng = options.rng("around " + setting.where)
    params = points.nudged({name: subject.at_hand[name] for name in subject.params}, options.domain, rng)
    ordinary = point_at(subject, options.domain, points.ordinary, rng)
    examination.look(setting, "other ordinary values", {**ordinary, **params})
    shapes = {name: subject.at_hand[name].shape for name in subject.inputs}
    for values, arrays in points.special_points(shapes, options.domain, rng):
        examination.look(setting, values, {**subject.at_hand, **params, **arrays})
    examination.contract(setting, "ordinary values", point_at(subject, options.domain, points.ordinary, rng))


def _variant(examination: Examination, build: Builder, partial: Mapping[str, int], base: Setting) -> Setting | None:
    """The layer at other sizes; None where it refuses them. A batch of one counts as a size of the user's own."""
    is_batch = list(partial) == [build.batch]
    try:
        setting = build(partial)
    except Exception as error:
        sizes = ", ".join(f"{symbol}={size}" for symbol, size in partial.items())
        examination.report.notes.append(f"{sizes}: left out, make raised {type(error).__name__}: {error}")
        return None
    setting.is_own = is_batch
    setting.subject.replays = base.subject.replays
    try:
        setting.subject.outputs(setting.subject.at_hand)
    except LayerError as error:
        if is_batch and not error.deliberate:
            examination.crashed(error, setting, setting.where)
        else:
            examination.report.notes.append(f"{setting.where}: left out, {error}")
        return None
    return setting


def _batch_of_one(examination: Examination, own: Setting) -> Setting | None:
    """The first row alone; None where rows are no batch, or forward does not take it, which the report then says."""
    single = first_rows(own, 1, "a batch of one")
    fewer = list(one_row_fewer(own))
    if single is None or not all(map(has_rows_as_input, fewer)):
        return None
    try:
        outputs = single.subject.outputs(single.subject.at_hand)
    except LayerError as error:
        if error.deliberate or np.shape(own.subject.at_hand[own.subject.inputs[0]])[0] == 2:
            examination.report.notes.append(f"a batch of one: left out, {error}")
        else:
            examination.crashed(error, single, single.where)
        return None
    return single if all(y.shape[:1] in ((), (1,)) for y in outputs) else None


def _must_fit(upstream: Sequence[np.ndarray[Any, np.dtype[Any]]], subject: Subject) -> None:
    shapes, came = [y.shape for y in subject.outputs(subject.at_hand)], [u.shape for u in upstream]
    if came != shapes:
        wanted, got = ", ".join(map(str, shapes)), ", ".join(map(str, came))
        raise ValueError(f"upstream must have the output's shape {wanted}, got {got}")
