"""NN112: what is registered and never used."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.events import Assign
    from nnscaffold.check.finding import Finding
    from nnscaffold.check.model import ClassModel

# Reading one of these may reach every child.
_EVERYTHING = frozenset(
    {
        *("*", "_modules", "_parameters", "__dict__", "children", "modules", "named_children"),
        *("named_modules", "get_submodule", "get_parameter"),
    }
)
# What is given to one of these is not used by it: it is changed, or copied.
_COPYING = ("torch.nn.init.", "torch.nn.Transformer", "copy.")


def find(model: ClassModel) -> Iterator[Finding]:
    """NN112: the constructor registers a module or parameter that no method uses."""
    if "forward" not in model.all_methods or not model.index.is_whole(model.qualified):
        return
    used = _used(model)
    if used & _EVERYTHING or _iterates_itself(model):
        return
    used.add("*")  # registered under names that the source does not tell
    used |= model.index.read_in_subclasses(model.qualified) | model.index.attributes_read
    reported: set[str] = set()
    for one in model.assigns:
        name = one.attribute
        if (
            one.where.function not in model.only_in_constructor
            or name in used | reported
            or "." in name
        ):
            continue
        if not _has_weights(one):
            continue
        reported.add(name)
        message = f"`self.{name}` is registered, and nothing uses it"
        yield model.file.finding("NN112", one.node, message, f"{model.name}.{name}")


def _used(model: ClassModel) -> set[str]:
    """The attributes that a method other than the constructor reads, or that it passes on."""
    called = {id(call.node.func) for call in model.calls}
    # A method that the constructor keeps, or returns, runs later.
    kept = {
        read.attribute
        for read in model.reads
        if read.attribute in model.methods and id(read.node) not in called
    }
    setting_up = model.only_in_constructor | {"reset_parameters", "init_weights", "_init_weights"}
    setting_up -= model.reached_from(*kept)
    used = {read.attribute for read in model.reads if read.where.function not in setting_up}
    for method, reads in model.all_methods.items():
        if method not in setting_up:
            used.update(reads)
    for call in model.calls:
        if call.where.function in setting_up and not call.name.startswith(_COPYING):
            for values in (*call.arguments, *call.keywords.values()):
                used.update(value.attribute for value in values if value.attribute)
                used.update(item.attribute for value in values for item in value.items)
    for one in model.assigns:
        for value in one.values:
            # Another name for it, an attribute of it, or a container that holds it.
            if value.attribute and value.attribute != one.attribute:
                used.add(value.attribute)
            used.update(item.attribute for item in value.items)
    names: dict[int, set[str]] = {}
    for one in model.assigns:
        for value in one.values:
            names.setdefault(id(value), set()).add(one.attribute)
    for same in names.values():
        if same & used:
            used |= same  # two names of one object
    used |= {name.partition(".")[0] for name in used}
    return used - {""}


def _iterates_itself(model: ClassModel) -> bool:
    """Whether `self` is handed to something, or iterated over, outside of its own methods."""
    return any(
        value.is_self
        for call in model.calls
        for values in (*call.arguments, *call.keywords.values())
        for value in values
        if call.where.function not in model.only_in_constructor
        and call.name not in ("super", "isinstance", "hasattr", "getattr", "setattr")
    )


def _has_weights(one: Assign) -> bool:
    if one.how == "parameter":
        return any(value.kind == "parameter" for value in one.values)
    if one.how not in ("assign", "module"):
        return False
    known = [value for value in one.values if value.kind != "none"]
    return bool(known) and all(
        (value.kind == "module" and value.stateful is True) or value.kind == "parameter"
        for value in known
    )
