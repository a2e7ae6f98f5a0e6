"""Modules that keep the contract, in ways that a careless check would take for a breach."""

from . import documented as documented
from . import exported as exported
from . import forwards as forwards
from . import numbers as numbers
from . import processes as processes
from . import registration as registration
from . import signatures as signatures
from .entry import GOOD as GOOD
