"""Which rules of the contract a model must keep before anything of it is written."""

import os
import pickle
import random
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch._subclasses import fake_tensor
from torch.fx.experimental import symbolic_shapes

from digit_classifier.errors import InputError
from digit_classifier.export.diagnosis import source
from digit_classifier.export.diagnosis.exportable import refuse_broken_contracts
from digit_classifier.export.diagnosis.rules import RULES
from digit_classifier.export.noise import quiet

from . import broken_models as broken
from . import sound_models as sound
from .places import marked
from tests.module_contract.rules import RULES as SUITES_RULES

EXAMPLE = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))

# Only an exporter finds what these do.
LATER = (
    broken.Branch,
    broken.BranchOfLayer,
    broken.Choice,
    broken.Assertion,
    broken.SizeByValue,
    broken.Number,
    broken.Listing,
    broken.Numpy,
    broken.Printed,
    broken.BatchDecides,
    broken.LoopOverBatch,
    broken.LoopAfterConvolution,
    broken.BranchAfterConvolution,
    broken.RareOperator,
)
BROKEN = (
    broken.OtherDevice,
    broken.OtherDeviceMethod,
    broken.OwnDevice,
    broken.MovedToCpu,
    broken.ParameterElsewhere,
    broken.Mask,
    broken.MaskInDictionary,
    broken.MaskOfLayer,
    broken.Listed,
    broken.ListedParameters,
    broken.Computed,
    broken.ParameterInForward,
    broken.ModuleInForward,
    broken.PythonsRandom,
    broken.NumpysRandom,
    broken.TorchsRandom,
    broken.ReboundBuffer,
    broken.ChangedBuffer,
    broken.CountedCalls,
    broken.KeptAnswers,
    broken.CountedInAnObject,
    broken.CountedInAGlobal,
    broken.SqueezedBatch,
    broken.BatchInShape,
    broken.Images,
    broken.Several,
    broken.ByName,
    broken.Lock,
    broken.WrongWidth,
    broken.Fails,
)
SOUND = (
    sound.Plain,
    sound.Aliases,
    sound.DropsOut,
    sound.CountsInTraining,
    sound.FollowsItsInput,
    sound.ScaledByValue,
    sound.Rows,
    sound.ScalesItsInput,
    sound.ReturnsItsInput,
    sound.Recurrent,
    sound.Optional,
    sound.Tied,
)


def ready(kind: type[nn.Module]) -> nn.Module:
    """Return a model as an export has it."""
    torch.manual_seed(0)
    return kind().eval().requires_grad_(False)


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_rule_is_named_with_its_place(kind: type[nn.Module]) -> None:
    with pytest.raises(InputError) as refused:
        refuse_broken_contracts(ready(kind), EXAMPLE)

    told = str(refused.value)
    code, place = marked(kind)
    assert told.startswith(f"{kind.__name__} cannot be exported. ")
    assert place in told
    assert re.findall(r"NN\d+", told) == [code, code] if code else "NN" not in told
    if code:
        assert f"{code} {RULES[code].name}, " in told
        assert told.endswith(f"docs/module-contract.md explains {code}.")
    assert "\n" not in told


@pytest.mark.parametrize("kind", [*SOUND, *LATER])
def test_what_a_target_may_be_able_to_export_is_let_through(kind: type[nn.Module]) -> None:
    refuse_broken_contracts(ready(kind), EXAMPLE)


@pytest.mark.parametrize("kind", SOUND)
def test_the_sound_models_can_be_exported(kind: type[nn.Module]) -> None:
    with quiet():
        torch.export.export(ready(kind), (EXAMPLE,))


def test_all_that_is_broken_is_told_at_once() -> None:
    with pytest.raises(InputError) as refused:
        refuse_broken_contracts(nn.Sequential(ready(broken.Mask), ready(broken.Listed)), EXAMPLE)

    first, mask, listed, last = str(refused.value).splitlines()
    assert first == "Sequential cannot be exported:"
    assert "NN201" in mask
    assert "`0.mask`" in mask
    assert "NN103" in listed
    assert "`1.more`" in listed
    assert last == "docs/module-contract.md explains NN201, NN103."


def test_a_line_is_told_once_however_many_layers_it_is_in() -> None:
    layers = nn.Sequential(*(ready(broken.Mask) for _ in range(3)))

    with pytest.raises(InputError) as refused:
        refuse_broken_contracts(layers, EXAMPLE)

    assert "`0.mask` (and 2 more like it) holds a plain tensor" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_model_and_the_random_numbers_are_left_as_they_were() -> None:
    class Counting(broken.Classifier):
        def __init__(self) -> None:
            super().__init__()
            self.calls = 0

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            return self.logits(images)

    model = ready(Counting)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    pythons, torchs = random.getstate(), torch.get_rng_state()
    numpys = pickle.dumps(np.random.get_state())

    refuse_broken_contracts(model, EXAMPLE)

    assert model.calls == 0
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert random.getstate() == pythons
    assert pickle.dumps(np.random.get_state()) == numpys
    assert torch.equal(torch.get_rng_state(), torchs)


@pytest.mark.parametrize("kind", [broken.WrongWidth, broken.DeviceOfItsOwn])
def test_files_of_torch_are_nobodys_own_wherever_torch_is(
    kind: type[nn.Module],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A virtual environment may see packages that are installed outside of it."""
    monkeypatch.setattr(source, "_INSTALLED", ())

    with pytest.raises(Exception) as failed:  # noqa: PT011
        kind()(EXAMPLE)

    line = source.line_of(failed.value)
    assert line
    assert marked(kind)[1] == f"{Path(line[0]).name}:{line[1]}: "


@pytest.mark.parametrize(
    "folder",
    [
        "/usr/lib/python3/dist-packages",
        "/home/someone/.local/lib/python3.11/site-packages",
        "/srv/env/lib64/python3.11/site-packages",
    ],
)
def test_only_this_package_is_own_among_the_installed_ones(
    folder: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(source, "_INSTALLED", ())
    parts = {name: str(Path(folder, name, "")) + os.sep for name in ("ours", "ours/export")}
    monkeypatch.setattr(source, "_PACKAGE", parts["ours"])
    monkeypatch.setattr(source, "_EXPORT", parts["ours/export"])

    assert source.is_own(str(Path(folder, "ours", "model.py")))
    assert not source.is_own(str(Path(folder, "ours", "export", "reasons.py")))
    assert not source.is_own(str(Path(folder, "theirs", "model.py")))
    assert not source.is_own(torch.nn.functional.__file__)
    assert source.is_own(__file__)


def test_the_input_is_left_as_it_was() -> None:
    example = EXAMPLE.clone()

    refuse_broken_contracts(ready(sound.ScalesItsInput), example)

    assert torch.equal(example, EXAMPLE)


@pytest.mark.parametrize("name", ["FakeTensorMode", "ShapeEnv"])
def test_a_torch_that_has_renamed_its_internals_is_no_reason_to_refuse(
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (fake_tensor, symbolic_shapes):
        monkeypatch.delattr(module, name, raising=False)

    refuse_broken_contracts(ready(sound.Plain), EXAMPLE)
    with pytest.raises(InputError, match="NN301"):
        refuse_broken_contracts(ready(broken.OwnDevice), EXAMPLE)


def test_the_rules_are_those_of_the_contract() -> None:
    for code, rule in RULES.items():
        assert (code, rule.name) == (SUITES_RULES[code].code, SUITES_RULES[code].name)
