"""The module contract as tests: inherit from `ModuleContract`, and each check is a test.

`docs/module-contract.md` explains the rules; `rules.py` lists them.
"""

from .findings import ContractViolation as ContractViolation
from .findings import Finding as Finding
from .rules import RULES as RULES
from .rules import Rule as Rule
from .suite import ModuleContract as ModuleContract
from .suite import run_checks as run_checks
