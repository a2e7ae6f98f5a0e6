"""Packages that only some exports need."""

import importlib.util

from ..errors import InputError


def require(*modules: str, extra: str) -> None:
    """Refuse to go on without a package, and say how to get it."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise InputError(f"{module} is not installed: run pip install -e '.[{extra}]'.")
