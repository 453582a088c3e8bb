"""Drawing what is asked of a part's code: the probes of a task, from a generator, and so from a seed.

Nobody's code is asked here, and the process that asks a student's code has none of this: what the other probes will be
is not to be found there. What the steps of a script mean is said in assignment/probes/.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module

import numpy as np

from handgrad.assignment.probes import KINDS, Probe

Drawn = Iterator[tuple[str, Probe]]


def probes_of(task: str, rng: np.random.Generator) -> list[tuple[str, Probe]]:
    """(check, probe) for all that is asked of `task`, such as "fc.backward"; the same for generators of one seed.

    `check` is one of CHECKS. Raises ValueError for a task that nothing is known to ask of.
    """
    part, _, step = task.partition(".")
    module = import_module(f"handgrad.assignment.draws.{KINDS.get(part, 'layer')}")
    draw: Callable[[str, str, np.random.Generator], Drawn] = module.draw
    return list(draw(part, step, rng))
