"""Code that completes the state dicts of old checkpoints."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nnscaffold.check.finding import Finding, Fix, Span
from nnscaffold.check.migration import migration_code, new_keys
from nnscaffold.check.session import Request, check
from nnscaffold.contract.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Callable

    Tree = Callable[..., Path]

MODEL = """\
import torch
from torch import nn


class Stack(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(2, 2)
        self.layers = [nn.Linear(2, 2), nn.BatchNorm1d(2)]


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.stacks = nn.ModuleList([Stack(), Stack()])
        self.out = nn.Linear(2, 1)
"""


def finding(name: str, *keys: str, code: str = "NN103", path: str = "net.py") -> Finding:
    fix = Fix("Do it", (), keys)
    return Finding(RULES[code], path, Span(1, 0, 1, 0), "Wrong", name, fix)


def test_keys_are_gathered_by_class() -> None:
    found = [
        finding("Net.layers", "layers.*"),
        finding("Net.mask", "mask", code="NN201"),
        finding("Net.layers", "layers.*"),
        finding("Outer.Inner.x", "x"),
        finding("Net.forward"),
    ]
    net, inner = new_keys(found)
    assert (net.cls, net.keys, net.codes) == ("Net", ("layers.*", "mask"), ("NN103", "NN201"))
    assert (inner.cls, inner.keys) == ("Outer.Inner", ("x",))
    assert migration_code([]) == ""
    code = migration_code([net, inner])
    assert '    # net.py: NN103, NN201\n    "Net": ("layers.*", "mask",),\n' in code


@pytest.mark.parametrize("end", ["\n", "\r", "\x0c", "\u2028"])
def test_the_name_of_a_file_stays_in_its_comment(end: str) -> None:
    odd = finding("Net.x", "x", path=f"a{end}raise SystemExit{end}.py")
    assert classes(migration_code(new_keys([odd])))["NEW_KEYS"] == {"Net": ("x",)}


def classes(source: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "model"}
    exec(source, namespace)
    return namespace


def test_an_old_checkpoint_loads_strictly_after_the_fix(tree: Tree) -> None:
    import torch

    root = tree({"model.py": MODEL})
    old = classes(MODEL)["Model"]()
    with torch.no_grad():
        old.out.weight.fill_(3.0)
    checkpoint = old.state_dict()
    result = check(Request((".",), fix="write"))
    assert result.outcome is not None
    model = classes((root / "model.py").read_text())["Model"]()
    with pytest.raises(RuntimeError, match=r"stacks\.0\.layers\.0\.weight"):
        model.load_state_dict(checkpoint)
    upgrade = classes(migration_code(new_keys(result.outcome.fixed)))["upgrade_state_dict"]
    before = copy.deepcopy(dict(checkpoint))
    model.load_state_dict(upgrade(model, checkpoint))
    assert bool((model.out.weight == 3.0).all())
    assert checkpoint.keys() == before.keys()  # the caller's is as it was
    saved = model.state_dict()
    assert upgrade(model, saved).keys() == saved.keys()


def test_subclasses_and_local_classes_are_completed_and_others_are_not() -> None:
    import torch

    code = migration_code(new_keys([finding("Base.mask", "mask")]))
    upgrade = classes(code)["upgrade_state_dict"]

    class Base(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mask", torch.ones(2))
            self.lost = torch.nn.Parameter(torch.ones(2))

    class Sub(Base):
        pass

    model = torch.nn.Sequential(Sub(), torch.nn.Linear(2, 2))
    model[1].register_buffer("mask", torch.ones(1))
    assert upgrade(model, {}).keys() == {"0.mask"}  # what else is missing is still an error
