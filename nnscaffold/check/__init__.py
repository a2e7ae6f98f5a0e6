"""The static checker: it reads sources and finds where modules break the contract.

It needs nothing but Python's standard library, and never imports what it checks.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nnscaffold.check.finding import Edit as Edit
    from nnscaffold.check.finding import Finding as Finding
    from nnscaffold.check.finding import Fix as Fix
    from nnscaffold.check.finding import Span as Span
    from nnscaffold.check.run import Report as Report
    from nnscaffold.check.run import check_paths as check_paths
    from nnscaffold.check.run import check_source as check_source
    from nnscaffold.check.settings import Settings as Settings

_HOMES = {
    "Edit": "finding",
    "Finding": "finding",
    "Fix": "finding",
    "Report": "run",
    "Settings": "settings",
    "Span": "finding",
    "check_paths": "run",
    "check_source": "run",
}


def __getattr__(name: str) -> Any:
    """Import a part when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
