"""torch.compile by a setting: the same training, and names that do not show it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
import torch

from .equal_runs import trained, trained_by_two

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("g++") is None and shutil.which("clang++") is None,
        reason="torch.compile needs a C++ compiler: g++ or clang++",
    ),
    # What torch's own compiler finds to say about torch.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]


@pytest.mark.parametrize(
    ("package", "settings"),
    [
        ("digits", {"norm": True, "activation_checkpointing": True}),
        ("tabular", {"grad_accum_steps": 2}),
        # Its batches differ in length.
        ("sequence", {"grad_accum_steps": 2}),
        ("fourth", {}),
    ],
)
def test_compiled_training_is_the_same(package: str, settings: dict[str, object]) -> None:
    torch.compiler.reset()
    norm = {"norm": True} if "norm" in settings else {}

    eager, compiled = trained(package, norm), trained(package, {**settings, "compile": True})

    eager.expect_close(compiled, rtol=1e-3, atol=1e-5)
    if norm:
        assert compiled.buffers[0][-1] == 18


def test_two_compiled_processes_are_one(tmp_path: Path) -> None:
    compiled = {"compile": True, "grad_accum_steps": 2}
    kinds = ("ddp", "fsdp")
    jobs = [("digits", {**compiled, "strategy": strategy}) for strategy in kinds]

    one = trained("digits", {})
    for two in trained_by_two(jobs, tmp_path / "results.pt"):
        one.expect_close(two, rtol=1e-3, atol=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_a_compiled_run_in_bfloat16_on_a_gpu() -> None:
    done = trained("sequence", {"device": "cuda", "precision": "bf16", "compile": True})

    assert done.losses[1] < done.losses[0]
