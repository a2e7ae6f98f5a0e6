"""What fixes mean for checkpoints: new keys of state dicts, and code that completes old ones.

What was in a plain list or on a plain attribute was never saved. Once it is registered,
`load_state_dict` asks for it, and an old checkpoint does not have it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nnscaffold.check.printing import in_one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nnscaffold.check.finding import Finding

_CODE = '''\
import copy
from fnmatch import fnmatchcase

# What the state dicts of these classes hold since `nnscaffold check --fix` rewrote them, and did
# not hold before; `*` stands for the rest of a key.
NEW_KEYS = {{
{entries}
}}


def upgrade_state_dict(model, state_dict):
    """Complete a state dict that was saved before the fix.

    Keys that it lacks are taken from `model`, which must be newly built: they were never saved, so
    that they had their initial values after each loading. Everything else stays as it is.

        model.load_state_dict(upgrade_state_dict(model, torch.load(path)))
    """
    complete = copy.copy(state_dict)
    fresh = model.state_dict()
    for name, module in model.named_modules(remove_duplicate=False):
        prefix = f"{{name}}." if name else ""
        classes = [cls.__qualname__.rpartition("<locals>.")[2] for cls in type(module).__mro__]
        patterns = [prefix + key for cls in classes for key in NEW_KEYS.get(cls, ())]
        for key, value in fresh.items():
            if key not in complete and any(fnmatchcase(key, pattern) for pattern in patterns):
                complete[key] = value
    return complete
'''


@dataclass(frozen=True)
class NewKeys:
    """The keys that fixes add to the state dict of one class.

    Attributes:
        path: The file of the class, as it is shown.
        cls: Its qualified name.
        keys: Patterns, relative to the module, in which `*` stands for the rest of a key.
        codes: The rules whose fixes add them.
    """

    path: str
    cls: str
    keys: tuple[str, ...]
    codes: tuple[str, ...]


def new_keys(fixed: Iterable[Finding]) -> list[NewKeys]:
    """The keys that fixes add, by class, in the order of their fixes."""
    grouped: dict[tuple[str, str], list[Finding]] = {}
    for finding in fixed:
        if finding.fix is not None and finding.fix.new_keys:
            attribute = finding.fix.new_keys[0].removesuffix(".*")
            cls = finding.name.removesuffix(f".{attribute}")
            grouped.setdefault((finding.path, cls), []).append(finding)
    return [
        NewKeys(
            path,
            cls,
            tuple(dict.fromkeys(key for one in group if one.fix for key in one.fix.new_keys)),
            tuple(dict.fromkeys(one.rule.code for one in group)),
        )
        for (path, cls), group in grouped.items()
    ]


def migration_code(added: Iterable[NewKeys]) -> str:
    """A Python function that completes an old state dict; empty if there are no new keys."""
    by_class: dict[str, list[NewKeys]] = {}
    for each in added:
        by_class.setdefault(each.cls, []).append(each)
    entries = []
    for cls, group in by_class.items():
        keys = dict.fromkeys(key for each in group for key in each.keys)
        # A comment ends with its line, whatever a file is called.
        entries += [f"    # {in_one_line(each.path)}: {', '.join(each.codes)}" for each in group]
        entries.append(f"    {_quoted(cls)}: ({' '.join(f'{_quoted(key)},' for key in keys)}),")
    return _CODE.format(entries="\n".join(entries)) if entries else ""


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
