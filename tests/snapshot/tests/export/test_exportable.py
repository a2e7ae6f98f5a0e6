"""Which rules of the contract a model must keep before anything of it is written."""

import pickle
import random
import re

import numpy as np
import pytest
import torch
from torch import nn

from digit_classifier.errors import InputError
from digit_classifier.export.exportable import refuse_broken_contracts
from digit_classifier.export.noise import quiet
from digit_classifier.export.rules import RULES

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
    broken.SqueezedBatch,
    broken.BatchInShape,
    broken.ByName,
    broken.Lock,
    broken.Fails,
)
SOUND = (
    sound.Plain,
    sound.Aliases,
    sound.DropsOut,
    sound.CountsInTraining,
    sound.FollowsItsInput,
    sound.ScaledByValue,
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


def test_the_rules_are_those_of_the_contract() -> None:
    for code, rule in RULES.items():
        assert (code, rule.name) == (SUITES_RULES[code].code, SUITES_RULES[code].name)
