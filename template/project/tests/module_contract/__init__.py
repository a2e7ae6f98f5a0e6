"""The module contract as tests: inherit from `ModuleContract`, and each check is a test.

`docs/module-contract.md` explains the rules; `rules.py` lists them, and needs nothing else. Only
`suite.py` needs pytest: `check_module` and `run_checks` find the same without it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .case import Contract as Contract
    from .case import Instance as Instance
    from .core import run_checks as run_checks
    from .direct import assert_contract as assert_contract
    from .direct import check_module as check_module
    from .direct import stated as stated
    from .exporters import explain_error as explain_error
    from .rules import RULES as RULES
    from .rules import ContractViolation as ContractViolation
    from .rules import Finding as Finding
    from .rules import Rule as Rule
    from .suite import ModuleContract as ModuleContract
    from .suite import contract_case as contract_case

# The files with the checks; importing one adds its checks to the suite.
_CHECKS = (
    *("construction", "contexts", "devices", "exporters", "forward", "precision", "processes"),
    *("state", "training"),
)
_NAMES = {
    "case": ("Contract", "Instance"),
    "core": ("run_checks",),
    "direct": ("assert_contract", "check_module", "stated"),
    "exporters": ("explain_error",),
    "rules": ("RULES", "ContractViolation", "Finding", "Rule"),
    "suite": ("ModuleContract", "contract_case"),
}


def __getattr__(name: str) -> Any:
    """Import torch only for what needs it."""
    for home, names in _NAMES.items():
        if name in names:
            for file in _CHECKS if home != "rules" else ():
                import_module(f".{file}", __name__)
            return getattr(import_module(f".{home}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
