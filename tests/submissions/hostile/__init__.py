"""Submissions that attack the grader, one file a class of attacks. All are bounded and do no harm to the machine."""

from ..entry import Hostile
from .concealing import CONCEALING
from .denial import DENIAL
from .ending import ENDING
from .forging import FORGING
from .gaming import GAMING
from .packaging import HONEST, PACKAGING, zipped
from .patching import PATCHING
from .stealing import STEALING

HOSTILE: list[Hostile] = [*ENDING, *FORGING, *PATCHING, *STEALING, *GAMING, *DENIAL, *PACKAGING, *CONCEALING]
HONEST_ARCHIVES: list[Hostile] = HONEST

__all__ = ["HONEST_ARCHIVES", "HOSTILE", "zipped"]
