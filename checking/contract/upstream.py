"""backward is linear in the upstream gradient."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from handgrad.checking.contract.place import Place
from handgrad.checking.report import Finding
from handgrad.checking.values import handed


def linear(place: Place) -> Iterator[Finding]:
    subject, upstream = place.subject, place.upstream
    if not subject.takes_upstream:
        return
    if subject.has_default_upstream:
        layer = subject.at(place.point)
        subject.forward(layer, place.point)
        default = {k: np.array(g) for k, g in subject.named(subject.backward(layer, [])).items()}
        _, of_one = place.run(subject.at(place.point), place.point, [1.0])
        for name in place.not_equal([], default, [], of_one):
            yield Finding(
                name,
                "contract",
                "default-upstream",
                f"backward() without an argument is not backward(1): {name} is for another upstream gradient. A loss "
                "ends the chain, its own upstream is 1.",
            )
    nothing = [u * 0.0 for u in upstream]
    _, at_zero = place.run(subject.at(place.point), place.point, handed(nothing))
    told = set()
    for name, gradient in at_zero.items():
        scale = np.abs(place.gradients[name]).max(initial=0.0) if place.gradients[name].size else 0.0
        if not np.isfinite(place.gradients[name]).all():
            continue  # told of already
        if np.isnan(gradient).any():
            told.add(name)
            yield Finding(
                "d" + name,
                "contract",
                "nonzero-at-zero-upstream",
                f"for an upstream gradient of zeros d{name} is NaN: something is divided by the upstream.",
            )
        elif np.any(np.abs(gradient) > place.tolerance * scale + 100 * place.rounding[name]):
            told.add(name)
            yield Finding(
                "d" + name,
                "contract",
                "nonzero-at-zero-upstream",
                f"for an upstream gradient of zeros d{name} is not zero: something is added that does not depend on "
                "the upstream (weight decay belongs into the optimizer).",
            )
    # On a grid the sum of two upstream gradients is exact, and their multiples by powers of 2 are: no rounding is
    # taken for a lack of linearity.
    grid = [np.asarray(np.round(np.asarray(u) * 2**20) / 2**20) for u in upstream]
    other = [np.round(place.rng.permutation(np.ravel(u)).reshape(np.shape(u)) * -0.7 * 2**20) / 2**20 for u in grid]
    _, of_grid = place.run(subject.at(place.point), place.point, handed(grid))
    _, of_other = place.run(subject.at(place.point), place.point, handed(other))
    combinations = {
        "1024 times": ([1024.0 * u for u in grid], {k: 1024 * g for k, g in of_grid.items()}),
        "1/1024 of": ([u / 1024 for u in grid], {k: g / 1024 for k, g in of_grid.items()}),
        "the negative of": ([-u for u in grid], {k: -g for k, g in of_grid.items()}),
        "the sum of two": (
            [u + v for u, v in zip(grid, other, strict=True)],
            {k: g + of_other[k] for k, g in of_grid.items()},
        ),
    }
    for what, (combined, expected) in combinations.items():
        _, got = place.run(subject.at(place.point), place.point, handed(combined))
        by = 1024.0 if what == "1024 times" else 1.0
        for key, gradient in expected.items():
            name, scale = "d" + key, np.abs(place.gradients[key]).max(initial=0.0) * (1 if "two" in what else 0)
            if key in told or place.same(key, got[key] / by, gradient / by, float(scale)):
                continue
            told.add(name[1:])
            clipped = what == "1024 times" and np.abs(got[name[1:]]).max() < 0.9 * np.abs(expected[name[1:]]).max()
            yield Finding(
                name,
                "contract",
                "upstream-clipped" if clipped else "not-linear",
                f"for {what} the upstream gradient{'s' if 'two' in what else ''} {name} is not {what} itself: backward "
                + (
                    "clips; clipping belongs into the optimizer."
                    if clipped
                    else "must be linear in the upstream (no abs, square, sign, clip or gate of it, and nothing added)."
                ),
            )
