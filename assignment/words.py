"""What a wrong array means, in a sentence for the student."""

from __future__ import annotations

import re
from collections.abc import Sequence

from handgrad.assignment.draws.layer import CACHED

MOST = 4
"""So many names of others are told."""

SENTENCES = (
    (
        r"(x|y|scores|labels|upstream.*)( later| second| other)? afterwards",
        "{0} was changed in place; work on a copy, whoever passed it in still needs it",
    ),
    (r"gradient of (.*) afterwards", "step changed the gradient of {0} that was passed in; work on a copy"),
    (r"(.*) afterwards", "{0} was changed: only the optimizer updates parameters"),
    (
        r"(.*) in place",
        "the array of {0} itself must be updated, w[...] = ... or w -= ...; a new array is nobody's parameter",
    ),
    (
        r"(.*) later",
        "{0} was overwritten by a later call, or by what the caller did; return a new array, gradients in a new dict",
    ),
    (r"shared memory", "results share memory with one another or with what was passed in; return new arrays"),
    (
        r"(.*) of the first batch again",
        "{0} of the same input is another after a call in between; something of earlier calls is left",
    ),
    (
        r"(.*) of a second backward",
        "{0} of a second backward after one forward is wrong: nothing may be accumulated or used up",
    ),
    (
        r"(.*) of the first upstream again",
        "{0} of the same upstream is another at the second call: nothing may be accumulated or used up",
    ),
    (r"(.*) of the second batch", "{0} of a second batch is wrong: something of the batch before it is left"),
    (
        r"(.*) of a batch of another size",
        "{0} of a batch of another size is wrong: something of the earlier ones is left",
    ),
    (
        r"(.*) (?:of another object|other)",
        "{0} is wrong when two objects of the class take turns: keep what is the object's own in self",
    ),
    (r"(.*) with new parameters", "{0} is wrong after the parameters were written into; read them anew in each call"),
    (r"optimizer.lr (at step .*)", "the learning rate was changed, which nobody asked for; {0}"),
    (r"steps of the optimizer (at step .*)", "the optimizer must take one step for each batch; {0}"),
    (
        r"stopped by a loss that is not finite",
        "the run must stop where the loss is not finite: run.value must be the loss",
    ),
)
"""What an array's name says by itself; {0} is the name of the array at hand."""


def what_is_kept(part: str) -> str:
    """What the handout's backward of the part expects in the cache, in words; "" where it leaves that open."""
    if part == "sequential":
        return "what each layer left in its layer.cache, in the order of the layers"
    return {"x": "the input x", "y": "the output y"}.get(CACHED.get(part, ""), "")


def about(name: str, difference: str) -> str:
    """The sentence for an array whose entries differ as `difference` says."""
    for pattern, sentence in SENTENCES:
        match = re.fullmatch(pattern, name)
        if match:
            what = next((group for group in match.groups() if group), "") if match.groups() else ""
            return f"{sentence.format(what)} ({name}: {difference})"
    return f"{name}: {difference}"


def missing(name: str, there: Sequence[str]) -> str:
    """The sentence for an array that did not come; `there` came instead."""
    if "stopped by a loss that is not finite" in there:
        return f"the run ended before {name}, since run.value was not the finite loss"
    gradients = [other.removeprefix("d") for other in there if other.startswith("d")]
    if name.startswith("d") and gradients:
        return f"there is no gradient named {name.removeprefix('d')}, but {', '.join(gradients)}"
    instead = f"; there is {', '.join(there[:MOST])} instead" if there else ""
    return _missing(name) + instead


def _missing(name: str) -> str:
    if re.fullmatch(r"upstream at step \d+", name):
        return f"model.backward was not called: {name} is missing"
    if re.fullmatch(r"x at step \d+", name):
        return f"model.forward was not called: {name} is missing"
    if re.fullmatch(r"(scores|labels) at step \d+", name):
        return f"loss.forward was not called: {name} is missing"
    return f"{name} is missing"
