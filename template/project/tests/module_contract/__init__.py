"""The module contract as tests: inherit from `ModuleContract`, and each check is a test.

`docs/module-contract.md` explains the rules; `findings.py` lists them. Nothing but `suite.py` needs
pytest: `run_checks` finds the same without it.
"""

from typing import TYPE_CHECKING, Any

# Imported for the checks that they define.
from . import construction, devices, exporters, forward, processes, state, training  # noqa: F401
from .core import Contract as Contract
from .core import Instance as Instance
from .core import run_checks as run_checks
from .exporters import explain_error as explain_error
from .findings import RULES as RULES
from .findings import ContractViolation as ContractViolation
from .findings import Finding as Finding
from .findings import Rule as Rule

if TYPE_CHECKING:
    from .suite import ModuleContract as ModuleContract


def __getattr__(name: str) -> Any:
    if name != "ModuleContract":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .suite import ModuleContract

    return ModuleContract
