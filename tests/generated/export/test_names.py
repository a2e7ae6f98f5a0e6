"""Models whose inputs and outputs are of every form that a task may have."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from fourth.command import InputError
from fourth.export import subject as subjects
from fourth.export.onnx import load, write_onnx
from fourth.export.torchscript import write_script
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Checkpoint


class Model(nn.Module):
    """Return what a function makes of the readings and the store."""

    def __init__(self, returned: Callable[[Tensor, Tensor], Any]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.ones(5))
        self.linear = nn.Linear(5, 5)
        self.returned = returned

    def forward(self, readings: Tensor, store: Tensor) -> Any:
        """Return it."""
        return self.returned(self.linear(readings) * self.mean, store)


@pytest.fixture
def subject_of(checkpoint: Checkpoint) -> Callable[..., subjects.Subject]:
    """Return the fourth task's data with a model of our own."""
    subject = subjects.load_subject(checkpoint("fourth"))

    def made(returned: Callable[[Tensor, Tensor], Any]) -> subjects.Subject:
        model = Model(returned).eval().requires_grad_(False)
        return dataclasses.replace(subject, model=model)

    return made


@pytest.mark.parametrize(
    ("returned", "names"),
    [
        (lambda x, store: x, ["output"]),
        (lambda x, store: (x, store), ["output_0", "output_1"]),
        # Names that torch gives to values inside the graph, and that inputs and weights have.
        (lambda x, store: {"mean": x.sum(1), "linear": x.mean(1)}, ["mean", "linear"]),
        (lambda x, store: {"store": store, "x": x}, ["store_out", "x"]),
        (lambda x, store: {"linear.weight": x + 1, "a": x, "b": x}, ["linear.weight", "a", "b"]),
        (lambda x, store: {"all": [x, (x + 1, x > 0)]}, ["all.0", "all.1.0", "all.1.1"]),
    ],
)
def test_onnx_has_a_name_for_every_output(
    returned: Callable[[Tensor, Tensor], Any],
    names: list[str],
    subject_of: Callable[..., subjects.Subject],
    tmp_path: Path,
) -> None:
    subject = subject_of(returned)
    example = subject.example(3)
    outputs = subject.outputs(example)
    assert list(outputs) == names

    described = {
        "inputs": [{"name": name} for name in example],
        "outputs": [{"name": name} for name in names],
    }
    write_onnx(subject, tmp_path / "model.onnx", described)

    found = load(tmp_path)(example)
    for output, expected in zip(found, outputs.values(), strict=True):
        torch.testing.assert_close(output, expected)


def test_what_is_not_a_tensor_is_refused(subject_of: Callable[..., subjects.Subject]) -> None:
    subject = subject_of(lambda x, store: {"x": x, "size": 5})
    with pytest.raises(InputError, match="Model returns a int as size: an artefact returns"):
        subject.outputs(subject.example())


def test_torchscript_refuses_dictionaries_of_more_than_tensors(
    subject_of: Callable[..., subjects.Subject],
    tmp_path: Path,
) -> None:
    subject = subject_of(lambda x, store: {"all": (x, store)})
    with pytest.raises(InputError, match="returns a dictionary of more than tensors"):
        write_script(subject, tmp_path / "model.pt", {})
    assert list(tmp_path.iterdir()) == []
