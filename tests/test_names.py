"""What a generated class may be called."""

from __future__ import annotations

import re

import pytest
from torch import nn

from scaffolder.names import TORCH_NN, reason_against


@pytest.mark.parametrize("name", ["X", "GatedAttention", "ResNet50", "A" * 40, "Generator"])
def test_a_cap_words_name_is_free_to_use(name: str) -> None:
    assert reason_against(name) is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "CapWords"),
        ("gated", "CapWords"),
        ("Gated_Attention", "CapWords"),
        ("Größe", "CapWords"),
        ("Gate\n", "CapWords"),
        ("a.B", "CapWords"),
        ("../Gate", "CapWords"),
        ("A" * 41, "41 characters"),
        ("A" * 200, "200 characters"),
        ("Linear", "torch.nn.Linear"),
        ("Tensor", "something else"),
        ("True", "something else"),
        ("ValueError", "something else"),
        ("TestNet", "pytest"),
        ("I", "digit"),
        ("O", "digit"),
        ("Class", "class.py"),
        ("Torch", "torch.py"),
    ],
)
def test_a_name_that_would_break_something_is_refused_for_that_reason(
    name: str, reason: str
) -> None:
    assert reason in (reason_against(name) or "")


def test_the_written_names_of_torch_nn_are_those_of_the_installed_one() -> None:
    installed = {name for name in dir(nn) if re.fullmatch(r"[A-Z][A-Za-z0-9]*", name)}
    assert installed <= TORCH_NN
