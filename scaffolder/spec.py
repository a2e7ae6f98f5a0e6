"""What a module is called and made of: an entry of a repository's manifest."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Literal

from scaffolder.errors import BadInput
from scaffolder.names import file_name, reason_against

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Role = Literal["layer", "model"]


@dataclass(frozen=True)
class ModuleSpec:
    """A module of a generated repository, as its manifest records it.

    Attributes:
        name: The class.
        kind: What it was generated from, a folder below the template's `kinds/`.
        role: `layer` or `model`: which of the package's folders it lies in.
        file: Its file's name, without `.py`.
    """

    name: str
    kind: str
    role: str
    file: str

    @classmethod
    def from_entry(cls, entry: object, path: Path) -> ModuleSpec:
        """Read an entry of the manifest in the file `path`.

        Raises:
            BadInput: The entry is not what this tool writes.
        """
        wanted = [field.name for field in fields(cls)]
        if (
            not isinstance(entry, dict)
            or sorted(entry) != sorted(wanted)
            or not all(isinstance(value, str) for value in entry.values())
            or entry["role"] not in ("layer", "model")
            or not re.fullmatch(r"[A-Z][A-Za-z0-9]*", entry["name"])
            or entry["file"] != file_name(entry["name"])
        ):
            raise BadInput(
                "manifest-invalid",
                f"{path} has an entry under `modules` that is not a module: {entry!r}.",
                f"Give it {', '.join(wanted)} as `nnscaffold new` writes them, or remove it.",
            )
        return cls(**entry)

    def to_entry(self) -> dict[str, str]:
        """This module as plain data, for a template."""
        return asdict(self)

    def to_line(self) -> str:
        """This module's line in the answers file."""
        return f"- {json.dumps(self.to_entry(), ensure_ascii=False)}\n"


def specify(name: str, kind: str, role: Role, existing: Iterable[ModuleSpec]) -> ModuleSpec:
    """Make a new entry from what a user typed.

    Raises:
        BadInput: The name is invalid, or taken.
    """
    if reason := reason_against(name):
        raise BadInput("name-invalid", f"'{name}' cannot name a module: {reason}.", _proposal(name))
    file = file_name(name)
    for module in existing:
        if module.name == name:
            raise BadInput(
                "name-taken",
                f"This repository has a {module.role} '{name}' already.",
                "Choose another name.",
            )
        if module.name.lower() == name.lower() or module.file == file:
            raise BadInput(
                "name-taken",
                f"'{name}' is too close to the {module.role} '{module.name}': they would share "
                "a file, at least on a disk that ignores case.",
                "Choose another name.",
            )
    return ModuleSpec(name, kind, role, file)


def closest(word: str, known: Iterable[str]) -> str:
    """A question that names the nearest known word, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"Did you mean '{near[0]}'? " if near else ""


def _proposal(name: str) -> str:
    words = re.findall(r"[A-Za-z0-9]+", name.rpartition(".")[2])
    proposal = "".join(word[0].upper() + word[1:] for word in words)
    if re.fullmatch(r"[A-Z][A-Za-z0-9]{0,39}", name):
        return "Choose another name."
    if name.isascii() and proposal != name and not reason_against(proposal):
        return f"Try '{proposal}'."
    return "Use CapWords, such as 'GatedAttention'."
