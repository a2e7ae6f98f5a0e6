"""Puts the template's contract suite, and this folder's own modules, where they can be imported.

The suite is imported as `module_contract`: here the name `tests` means this project's tests.
"""

import importlib
import sys
from pathlib import Path

HERE = Path(__file__).parent
SUITE_FOLDER = HERE.parents[1] / "template" / "project" / "tests"

sys.path[:0] = [str(HERE), str(SUITE_FOLDER)]

# Loads the files of checks, which a file of tests that runs alone may not ask for.
importlib.import_module("module_contract").run_checks  # noqa: B018
