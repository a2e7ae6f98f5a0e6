"""Questions about the names under which something is registered."""

from __future__ import annotations

from nnscaffold.check.torch_names import DICT_KEYS, RESERVED_KEYS, SEQUENTIAL_KEYS

# What containers have besides the attributes of every module.
_OF_CONTAINERS = {
    "torch.nn.ModuleDict": DICT_KEYS,
    "torch.nn.ModuleList": SEQUENTIAL_KEYS,
    "torch.nn.Sequential": SEQUENTIAL_KEYS,
    "torch.nn.ParameterDict": DICT_KEYS | {"copy", "fromkeys", "get", "popitem", "setdefault"},
}


def reserved_keys(*classes: str) -> frozenset[str]:
    """The keys that no module of these classes (dotted names) takes: attributes of it."""
    return RESERVED_KEYS.union(*(_OF_CONTAINERS.get(name, ()) for name in classes))


def problem_of(key: str, reserved: frozenset[str]) -> str:
    """Why a container takes no such key; nothing if it does."""
    if key == "":
        return "is empty"
    if "." in key:
        return "has a dot, which separates names in a state dict"
    return "is an attribute of the container" if key in reserved else ""
