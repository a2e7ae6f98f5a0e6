"""The kinds of module that a template offers: a folder each in `template/kinds/`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import yaml

from scaffolder.errors import BadInput
from scaffolder.spec import closest

if TYPE_CHECKING:
    from pathlib import Path

    from scaffolder.spec import Role


class Kind(NamedTuple):
    """A choice of `new layer --kind` or `new model --kind`.

    Attributes:
        name: Its folder's name.
        role: `layer` or `model`.
        description: What the generated module computes, in one line.
        shows: What of the module contract it is an example of, in one line.
    """

    name: str
    role: str
    description: str
    shows: str


def read_kinds(template: Path) -> list[Kind]:
    """The kinds that a template's files offer, layers first, each group by name.

    Raises:
        BadInput: A kind's description cannot be read.
    """
    described = sorted((template / "template" / "kinds").glob("*/kind.yml"))
    kinds = []
    for path in described:
        try:
            fields = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)
            kind = Kind(path.parent.name, fields["role"], fields["description"], fields["shows"])
            if kind.role not in ("layer", "model"):
                raise ValueError(f"its role is {kind.role!r}")
        except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError) as error:
            raise BadInput(
                "kind-invalid",
                f"The template's kind '{path.parent.name}' cannot be read: "
                f"{' '.join(str(error).split())}.",
                "Give its kind.yml the texts `role`, `description` and `shows`.",
            ) from error
        if fields.get("offered", True):
            kinds.append(kind)
    return sorted(kinds, key=lambda kind: (kind.role, kind.name))


def choose_kind(name: str, role: Role, kinds: list[Kind]) -> Kind:
    """The kind of this name and role.

    Raises:
        BadInput: There is none.
    """
    named = {kind.name: kind for kind in kinds}
    kind = named.get(name)
    if kind is None:
        fitting = [kind.name for kind in kinds if kind.role == role]
        raise BadInput(
            "kind-unknown",
            f"This repository's template has no {role} of kind '{name}'.",
            f"{closest(name, fitting)}It has: {', '.join(fitting)}.",
        )
    if kind.role != role:
        raise BadInput(
            "kind-unknown",
            f"'{name}' is a kind of {kind.role}, not of {role}.",
            f"Use `nnscaffold new {kind.role}`.",
        )
    return kind


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
