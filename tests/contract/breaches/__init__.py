"""Modules that break one rule each, by the rule that they break."""

from . import attributes as attributes
from . import construction as construction
from . import containers as containers
from . import devices as devices
from . import forward as forward
from . import precisions as precisions
from . import retention as retention
from . import reuse as reuse
from . import sharing as sharing
from . import values as values
from .entry import BREACHES as BREACHES
from .entry import Breach as Breach
