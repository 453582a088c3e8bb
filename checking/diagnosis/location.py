"""Where a gradient is wrong, when no formula says why: a rule that tells the wrong entries from the right ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from handgrad.checking.comparison import Entry
from handgrad.checking.diagnosis.evidence import Case, Evidence, own_numbers
from handgrad.params import Array


def located(evidence: Evidence) -> tuple[str, str]:
    """Where the gradient is wrong, when nothing says why."""
    comparison = evidence.comparison
    array = "d" + evidence.name
    wrong = comparison.with_verdict("wrong")
    entries = [e for e in comparison.entries if e.verdict in ("wrong", "ok")]
    if not wrong:
        return "", f"{array} disagrees with the differences."
    worst = max(wrong, key=lambda e: e.excess)
    scale = max(max(abs(e.numeric) for e in entries), 1e-300)
    share = f"{len(wrong)} of {len(entries)} entries looked at"
    numbers = f"the worst, {array}{list(worst.index)}, is {worst.analytic:.6g} and should be {_wanted(worst)}"
    relative = max(e.excess for e in wrong) / scale
    if relative < 3e-7 or (relative < 2e-6 and len(wrong) > 0.3 * len(entries)):
        close = f"{array} is right to about {-int(np.log10(relative))} digits and no more"
        if relative < 4e-7 or np.array_equal(comparison.analytic, comparison.analytic.astype(np.float32)):
            return "single-precision", f"{close}: it is computed in single precision (float32), digits are lost."
        return "", f"{close}: a small term is missing, such as an epsilon."
    there, factor = _what_is_there(evidence)
    if not there:
        there, factor = _factor_of_each_slice(evidence)
    cause, text = _at_kink(evidence, wrong)
    there, factor = ("", "") if text else (there, factor)
    if not text:
        cause, text = pattern(evidence)
    if not text:
        cause, text = SPECIAL_CAUSES.get(evidence.values, ("", _how_many(len(wrong), len(entries))))
    return cause or factor, f"{array} is wrong {text} ({share}){there}; {numbers}."


def _how_many(wrong: int, looked_at: int) -> str:
    return "here" if wrong == 1 else "in most places" if 2 * wrong > looked_at else "in some places"


def _what_is_there(evidence: Evidence) -> tuple[str, str]:
    """What the wrong entries are, if that is simple: 0, or a constant times the right value; and the factor's name."""
    ratios: list[float] = []
    for one in map(Seen.of, evidence.cases):
        numeric = one.case.numeric
        usable = one.wrong & (np.abs(numeric) > 1e-6 * np.abs(numeric[np.isfinite(numeric)]).max(initial=1e-300))
        if np.any(one.wrong & ~usable & (one.case.analytic != 0)):
            return "", ""  # something stands where 0 belongs
        ratios += (one.case.analytic[usable] / numeric[usable]).tolist()
    if len(ratios) < 2:
        return "", ""
    if max(map(abs, ratios)) < 1e-12:
        return ", where backward gives 0", ""
    c = ratios[0]
    if max(abs(r - c) for r in ratios) > 1e-6 * abs(c):
        return "", ""
    for name, value in own_numbers(evidence.cases[0]).items():
        for cause, factor in ((f"missing-factor-{name}", 1 / value), (f"extra-factor-{name}", value)):
            if abs(c - factor) < 1e-6 * abs(factor):
                return f", where it is exactly {c:.6g} times the right value: {name} = {value:.6g} there", cause
    return f", where it is exactly {c:.6g} times the right value", ""


def _factor_of_each_slice(evidence: Evidence) -> tuple[str, str]:
    """Whether each row, or each column, is right but for a factor of its own."""
    for axis, what, meaning in (
        (1, "row", "a weight of the instance or of its label"),
        (0, "column", "a parameter or a number of the feature"),
    ):
        factors = [_ratios(case, axis) for case in evidence.cases]
        if len(factors) > 1 and all(
            ratio is not None and np.ptp(ratio) > 1e-6 * np.abs(ratio).max() for ratio in factors
        ):
            return (
                f", each {what} by a factor of its own ({meaning} is missing, or there once too often)",
                f"factor-per-{what}",
            )
    return "", ""


def _ratios(case: Case, axis: int) -> Array | None:
    """By what the entries along the axis are all off; None where they are not off by the same factor."""
    numeric = case.numeric
    if numeric.ndim != 2 or min(numeric.shape) < 2 or not np.isfinite(numeric).all():
        return None
    length = np.square(numeric).sum(axis=axis, keepdims=True)
    if not length.all():
        return None
    ratio = (case.analytic * numeric).sum(axis=axis, keepdims=True) / length
    close = np.abs(case.analytic - ratio * numeric) <= 1e-7 * np.abs(numeric).max(axis=axis, keepdims=True)
    return np.asarray(ratio) if close.all() else None


def _at_kink(evidence: Evidence, wrong: list[Entry]) -> tuple[str, str]:
    name, x = evidence.name, evidence.check.point[evidence.name]
    has_kink = any(e.slope.kink for e in wrong)
    if (has_kink or evidence.check.at_kink) and all(x[e.index] == 0 for e in wrong):
        convention = f"the convention there is the {evidence.check.at_kink} derivative"
        interval = "it lies outside the interval of subgradients there"
        return "wrong-at-zero", (
            f"where {name} is exactly 0, at a kink: {convention if evidence.check.at_kink else interval}"
        )
    if has_kink:
        return "tie", f"at a kink or tie of {name} (equal values, or a bound reached exactly)"
    return "", ""


def _wanted(entry: Entry) -> str:
    if entry.slope.kink:
        return f"between {entry.slope.low:.6g} and {entry.slope.high:.6g}"
    return f"{entry.numeric:.6g} +- {entry.slope.error:.1g}"


@dataclass
class Seen:
    """Which entries of a gradient are wrong, in one case."""

    case: Case
    wrong: Array
    right: Array

    @classmethod
    def of(cls, case: Case) -> Seen:
        numeric = case.numeric
        known = np.isfinite(numeric) & np.isfinite(case.analytic)
        off = np.abs(np.where(known, case.analytic - numeric, 0.0))
        wrong = off > 1e-7 * max(np.abs(numeric[known]).max(initial=0.0), 1e-300)
        return cls(case, wrong, known & ~wrong)

    def is_exactly(self, where: Array) -> bool:
        """Whether the wrong entries are those of the mask `where`."""
        return not np.any(self.wrong & ~where) and not np.any(self.right & where)


def pattern(evidence: Evidence) -> tuple[str, str]:
    """A rule that tells the wrong entries from the right ones at all points looked at; cause "" when there is none."""
    seen = [Seen.of(case) for case in evidence.cases]
    if not any(one.wrong.any() and one.right.any() for one in seen):
        return "", ""
    name, x = evidence.name, [case.point[evidence.name] for case in evidence.cases]
    index = np.argwhere(seen[0].wrong)
    if (
        len(seen) > 1
        and len(index) == 1
        and x[0].size > 3
        and all(np.array_equal(one.wrong, seen[0].wrong) for one in seen)
    ):
        return "single-entry", f"in a single entry, {index[0].tolist()}, and always there"
    rules: list[tuple[str, str, list[Array]]] = []
    if name in evidence.check.subject.inputs:
        rules += [
            ("wrong-at-zero", f"only where {name} is exactly 0", [v == 0 for v in x]),
            ("wrong-where-negative", f"only where {name} is negative", [v < 0 for v in x]),
            ("wrong-where-positive", f"only where {name} is positive", [v > 0 for v in x]),
        ]
    u = [case.u for case in evidence.cases]
    if all(a.shape == b.shape for a, b in zip(u, x, strict=True)):
        rules.append(
            ("wrong-where-upstream-negative", "only where the upstream gradient is negative", [v < 0 for v in u])
        )
        rules.append(
            ("wrong-where-upstream-positive", "only where the upstream gradient is positive", [v > 0 for v in u])
        )
    for cause, text, of in _by_label(seen[0].case):
        rules.append((cause, text, [of] * len(seen)))
    for cause, text, masks in rules:
        if all(one.is_exactly(mask) for one, mask in zip(seen, masks, strict=True)):
            return cause, text
    if name in evidence.check.subject.inputs and x[0].size > 3 and all(one.right.any() for one in seen):
        cause, text = _beyond_a_limit(name, x, seen)
        labels = _labels(seen[0].case)
        if not text and labels is not None and labels.shape == x[0].shape:
            cause, text = _beyond_a_limit(f"{name} - labels", [v - labels for v in x], seen)
        if text:
            return cause, text
    if len(seen) > 1:
        return _place(seen)
    return "", ""


def _labels(case: Case) -> Array | None:
    """What a loss takes besides the scores, where these are numbers."""
    labels = np.asarray(case.subject.extra[0]) if case.subject.extra else np.array("")
    return labels if labels.dtype.kind in "iuf" else None


def _by_label(case: Case) -> Iterator[tuple[str, str, Array]]:
    """Rules that tell entries apart by their label."""
    labels = _labels(case)
    if labels is None or not case.is_input or case.x.ndim < 1:
        return
    per_row = labels.shape == case.x.shape[:1] and case.x.ndim == 2
    if per_row and labels.dtype.kind in "iu":
        at_label = labels[:, None] == np.arange(case.x.shape[1])
        yield "wrong-at-label", "only at the label's entry of each row (the correct class)", at_label
        yield "wrong-off-label", "everywhere but at the label's entry of each row (the correct class)", ~at_label
    values = np.unique(labels)
    if len(values) < 6 and (per_row or labels.shape == case.x.shape):
        for value in values:
            chosen = labels == value
            mask = np.broadcast_to(chosen[:, None] if per_row else chosen, case.x.shape)
            yield "wrong-for-one-label", f"only where the label is {value:g}", mask


def _beyond_a_limit(name: str, x: list[Array], seen: list[Seen]) -> tuple[str, str]:
    """Whether the wrong entries are those above, or below, some value of what `name` stands for."""
    wrong = np.concatenate([v[one.wrong] for v, one in zip(x, seen, strict=True)])
    right = np.concatenate([v[one.right] for v, one in zip(x, seen, strict=True)])
    off = np.concatenate([np.abs(one.case.analytic - one.case.numeric)[one.wrong] for one in seen])
    largest = max(np.nanmax(np.abs(one.case.numeric), initial=0.0) for one in seen)
    if min(wrong.size, right.size) < 2 or off.min() < max(1e-4 * off.max(), 3e-6 * largest):
        return "", ""  # what fades away smoothly is wrong everywhere, and too small to be seen in some places
    if np.abs(wrong).min() > np.abs(right).max():
        limit = np.abs(right).max()
        return "wrong-where-large", f"only where |{name}| > {limit:.3g} (saturated, clipped or past a limit)"
    if np.abs(wrong).max() < np.abs(right).min():
        limit = np.abs(right).min()
        return "wrong-where-small", f"only where |{name}| < {limit:.3g} (a clip or an epsilon acts there)"
    if wrong.min() > right.max() > 0:
        return "wrong-where-large", f"only where {name} > {right.max():.3g} (past an upper limit: clipped, saturated)"
    if wrong.max() < right.min() < 0:
        return "wrong-where-large", f"only where {name} < {right.min():.3g} (past a lower limit: clipped, saturated)"
    return "", ""


def _place(seen: list[Seen]) -> tuple[str, str]:
    """A row, column or diagonal in which the wrong entries lie at all points."""
    shape = seen[0].wrong.shape
    for axis, size in enumerate(shape):
        what = "row" if axis == 0 else "column" if axis == len(shape) - 1 else f"slice of axis {axis}"
        for k in range(size) if size > 1 else ():
            mask = np.zeros(shape, bool)
            mask[(slice(None),) * axis + (k,)] = True
            if all(one.is_exactly(mask) for one in seen):
                return f"one-{what.split()[0]}", f"only in {what} {k}"
            if all(one.is_exactly(~mask) for one in seen):
                return f"one-{what.split()[0]}-right", f"everywhere but in {what} {k}"
    if len(shape) == 2 and min(shape) > 1:
        if all(one.is_exactly(np.eye(*shape, dtype=bool)) for one in seen):
            return "", "only on the diagonal"
        if all(one.is_exactly(~np.eye(*shape, dtype=bool)) for one in seen):
            return "", "only off the diagonal"
    return "", ""


SPECIAL_CAUSES = {
    "all zero": ("wrong-at-zero", "where all inputs are 0"),
    "all equal": ("wrong-at-equal-values", "where all inputs are equal (constant rows, ties, no variance)"),
    "small integers": ("wrong-at-integers", "at small whole numbers (ties, exact zeros)"),
    "of size 1e-5": ("wrong-where-small", "for very small inputs, of size 1e-5 (an epsilon is missing or misplaced)"),
    "of size 5": ("wrong-where-large", "for inputs of size 5 (saturation, clipping)"),
    "of size 25": ("wrong-where-large", "for large inputs, of size 25 (saturation, clipping)"),
    "rows 1e3 apart": ("wrong-where-large", "for rows of very different size, 1e3 apart"),
    "of size 1e3": ("wrong-where-large", "for very large inputs, of size 1e3 (saturation, overflow, clipping)"),
}
