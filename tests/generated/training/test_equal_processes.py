"""Two processes, with whole models or with shards, compute what one does, up to rounding."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch

from .equal_runs import SGD, Trained, trained, trained_by_two

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

FSDP = {"strategy": "fsdp"}
MICRO = {"grad_accum_steps": 2}
CLIPPED = {"optimizer": SGD | {"max_grad_norm": 0.05}}
# By name: a package, settings of two processes, and those of them that one process has, too.
JOBS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "digits": ("digits", {}, {}),
    "digits, micro-steps": ("digits", MICRO, {}),
    "digits, sharded": ("digits", FSDP | MICRO, {}),
    "digits, sharded, clipped": ("digits", FSDP, CLIPPED),
    "digits, clipped": ("digits", MICRO, CLIPPED),
    "digits, checkpointed": ("digits", FSDP | {"activation_checkpointing": True}, {}),
    "tabular": ("tabular", {}, {}),
    "tabular, sharded": ("tabular", FSDP | MICRO, CLIPPED),
    # Sequences are padded to the longest of a micro-batch, so shards differ in what they pad.
    "sequence": ("sequence", {}, {}),
    "sequence, micro-steps": ("sequence", MICRO, CLIPPED),
    "sequence, sharded": ("sequence", FSDP | MICRO, {}),
    "sequence, all": ("sequence", FSDP | {"activation_checkpointing": True}, CLIPPED),
    # Days without a count, batches of one, and fewer samples of validation than processes.
    "fourth": ("fourth", {}, {}),
    "fourth, micro-steps": ("fourth", {"grad_accum_steps": 4}, CLIPPED),
    "fourth, sharded": ("fourth", FSDP | MICRO, {}),
    "fourth, few": ("fourth", {}, {"data": {"sizes": [48, 1, 1]}}),
    "fourth, few, sharded": ("fourth", FSDP, {"data": {"sizes": [48, 1, 1]}}),
}
NARROW = {
    "fp16": ("digits", MICRO, {"precision": "fp16"}),
    "fp16, sharded": ("digits", FSDP, {"precision": "fp16"}),
    "bf16, sharded": ("sequence", FSDP, {"precision": "bf16"}),
}
NORM = {"activation_checkpointing": True, "norm": True}
NORMS = {"norm": ("digits", NORM, {}), "norm, sharded": ("digits", NORM | FSDP, {})}
ALL = JOBS | NARROW | NORMS


@pytest.fixture(scope="module")
def of_two(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Trained]:
    """What two processes made of every job, one after the other."""
    jobs = [(package, own | both) for package, own, both in ALL.values()]
    done = trained_by_two(jobs, tmp_path_factory.mktemp("two") / "results.pt")
    return dict(zip(ALL, done, strict=True))


@pytest.fixture(scope="module")
def of_one() -> dict[str, Trained]:
    """What one process made of them."""
    cache: dict[str, Trained] = {}
    results = {}
    for name, (package, _, both) in (JOBS | NARROW).items():
        key = json.dumps([package, both])
        if key not in cache:
            cache[key] = trained(package, both)
        results[name] = cache[key]
    return results


@pytest.mark.parametrize("name", JOBS)
def test_two_processes_are_one(
    name: str,
    of_one: dict[str, Trained],
    of_two: dict[str, Trained],
) -> None:
    of_one[name].expect_close(of_two[name])


@pytest.mark.parametrize("name", NARROW)
def test_narrow_types_learn_as_well(
    name: str,
    of_one: dict[str, Trained],
    of_two: dict[str, Trained],
) -> None:
    assert of_two[name].losses == pytest.approx(of_one[name].losses, rel=0.02)
    assert of_two[name].losses[1] < of_two[name].losses[0]


@pytest.mark.parametrize("name", NORMS)
def test_running_statistics_are_the_same_everywhere(
    name: str,
    of_two: dict[str, Trained],
) -> None:
    first, second = of_two[name].buffers

    assert len(first) == 3
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one, other)
    # Two epochs of nine steps, each counted once although activations are computed twice.
    assert first[-1] == 18


def test_clipping_is_at_work(of_one: dict[str, Trained]) -> None:
    assert of_one["digits, clipped"].losses != of_one["digits"].losses


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_every_gpu_has_its_process(tmp_path: Path, strategy: str) -> None:
    settings = {"device": "cuda", "strategy": strategy}

    (two,) = trained_by_two([("sequence", settings)], tmp_path / "results.pt")

    trained("sequence", {}).expect_close(two, rtol=1e-3, atol=1e-5)
