"""Modules with a fault that only a check's name describes: no rule has a code for it."""

from . import conversions as conversions
from . import documented as documented
from . import exporters as exporters
from . import learning as learning
from . import processes as processes
from . import results as results
from . import uses as uses
from . import warning as warning
from .entry import FAULTS as FAULTS
from .entry import Fault as Fault
