"""Inputs for tracing and measuring, and what is refused before anything is written."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import pytest
import torch
from sequence.command import InputError
from sequence.export import comparison
from sequence.export import subject as subjects
from sequence.export.executorch import ExecuTorch
from sequence.interface import BATCH, Dimension
from torch.utils.data import Subset

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Checkpoint


@pytest.fixture
def subject(checkpoint: Checkpoint) -> subjects.Subject:
    """The sequences' model and data."""
    return subjects.load_subject(checkpoint("sequence"))


@pytest.mark.parametrize(
    ("dynamic", "refused"),
    [
        ({1: Dimension("length")}, "dimension 0 of every input"),
        ({0: BATCH}, "Dimension 1 of tokens is .* in one test sample"),
        ({0: BATCH, 1: Dimension("length", 1, 3)}, "length is .* in a test sample"),
        ({0: BATCH, 1: Dimension("length", 1, 10_000)}, "fails where length is 10000"),
    ],
)
def test_dimensions_that_data_or_model_do_not_have_are_refused(
    dynamic: dict[int, Dimension],
    refused: str,
    subject: subjects.Subject,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ("tokens", "padding_mask")
    monkeypatch.setattr(subjects, "DYNAMIC", dict.fromkeys(names, dynamic))
    with pytest.raises(InputError, match=refused) as error:
        subject.output_shapes()
    assert "DYNAMIC in task/data.py" in str(error.value)


def test_dimensions_of_other_inputs_are_refused(
    subject: subjects.Subject,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subjects, "DYNAMIC", {"tokens": {0: BATCH}})
    with pytest.raises(InputError, match="names the inputs tokens; the model gets tokens, padding"):
        subject.example()


def test_one_sample_is_enough(subject: subjects.Subject) -> None:
    splits = dataclasses.replace(subject.splits, test=Subset(subject.splits.test, [0]))
    subject = dataclasses.replace(subject, splits=splits)

    assert len(subject.example()["tokens"]) == 2
    assert [len(batch["tokens"]) for batch in subject.batches(64)] == [1]
    assert subject.output_shapes()["output"][:2] == ["batch", "length"]


def test_samples_are_spread_over_the_whole_test(
    subject: subjects.Subject,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subjects, "MAX_SAMPLES", 3)
    total = len(subject.splits.test)  # type: ignore[arg-type]
    monkeypatch.setattr(type(subject.splits.test), "__getitem__", lambda _, index: index)
    assert subject.samples() == [0, total // 3, 2 * total // 3]


def test_differences_are_relative_and_infinities_are_equal() -> None:
    difference = comparison._difference
    assert difference(torch.tensor([1.0]), torch.tensor([1.5])) == 0.5
    assert difference(torch.tensor([200.0, 1.0]), torch.tensor([200.0, 2.0])) == 1 / 200
    masked = torch.tensor([-math.inf, 1.0])
    assert difference(masked, masked) == 0
    assert difference(masked, torch.tensor([0.0, 1.0])) == math.inf
    assert math.isnan(difference(torch.tensor([math.nan]), torch.tensor([math.nan])))
    assert difference(torch.tensor([True, False]), torch.tensor([True, True])) == 1
    assert difference(torch.empty(0), torch.empty(0)) == 0


def test_executorch_refuses_a_dynamic_length(subject: subjects.Subject, tmp_path: Path) -> None:
    target = ExecuTorch(checkpoint=subject.path, out=tmp_path / "out")
    with pytest.raises(InputError, match="length may differ from call to call: export to onnx"):
        target.write(subject, tmp_path, {})
    assert list(tmp_path.iterdir()) == []


def test_no_batch_at_all_is_refused(tmp_path: Path) -> None:
    target = ExecuTorch(checkpoint=tmp_path / "best.pt", out=tmp_path / "out", max_batch=0)
    with pytest.raises(InputError, match="--max-batch must be 1 or more, not 0"):
        target.check()
