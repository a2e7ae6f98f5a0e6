"""The shards of each step: together always the same samples, whoever takes them."""

from __future__ import annotations

import importlib
import itertools
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from digits.command import InputError
from digits.distributed.processes import Processes
from digits.interface import Splits
from digits.training.config import TrainConfig
from digits.training.random_state import seeded
from digits.training.sampling import EpochSamples, ShardedBatches, evaluation_batches
from torch.utils.data import Dataset, default_collate

if TYPE_CHECKING:
    from collections.abc import Iterable


def sampler(
    samples: int = 100,
    *,
    rank: int = 0,
    world_size: int = 1,
    **settings: Any,
) -> ShardedBatches:
    """Make a sampler of batches of 24."""
    config = TrainConfig(**{"batch_size": 24, "seed": 5, **settings})
    return ShardedBatches(samples, config, rank=rank, world_size=world_size)


def steps(batches: ShardedBatches, epoch: int, first: int = 0) -> list[list[int]]:
    """Return the samples that a process takes in each step of an epoch."""
    batches.start(epoch, first)
    shards = list(batches)
    assert len(shards) == len(batches)
    assert {each for each, _ in flat(shards)} <= {epoch}
    size = batches.config.grad_accum_steps
    return [
        [index for _, index in flat(shards[start : start + size])]
        for start in range(0, len(shards), size)
    ]


def flat(shards: Iterable[list[Any]]) -> list[Any]:
    """Return all samples of several shards."""
    return list(itertools.chain.from_iterable(shards))


def test_an_epoch_takes_each_sample_once_but_for_the_rest() -> None:
    taken = flat(steps(sampler(), epoch=0))

    assert len(taken) == len(set(taken)) == 96


@pytest.mark.parametrize(("world_size", "micro_steps"), [(1, 3), (2, 1), (2, 2), (3, 4)])
def test_processes_and_micro_steps_share_the_same_batches(
    world_size: int,
    micro_steps: int,
) -> None:
    whole = steps(sampler(), epoch=3)
    shards = [
        steps(sampler(rank=rank, world_size=world_size, grad_accum_steps=micro_steps), epoch=3)
        for rank in range(world_size)
    ]

    for number, batch in enumerate(whole):
        assert {len(shard[number]) for shard in shards} == {24 // world_size}
        assert sorted(flat(shard[number] for shard in shards)) == sorted(batch)


def test_a_place_in_an_epoch_is_found_again() -> None:
    batches = sampler(grad_accum_steps=2)

    assert steps(batches, epoch=2, first=3) == steps(batches, epoch=2)[3:]
    assert steps(batches, epoch=2, first=4) == []
    assert steps(sampler(limit_batches=3), epoch=2) == steps(sampler(), epoch=2)[:3]


def test_seed_and_epoch_decide_on_the_order() -> None:
    first = steps(sampler(), epoch=0)

    assert first == steps(sampler(), epoch=0)
    assert first != steps(sampler(), epoch=1)
    assert first != steps(sampler(seed=2), epoch=0)


def test_what_cannot_be_shared_evenly_is_refused() -> None:
    with pytest.raises(InputError, match="times grad_accum_steps, 2 times 5; it is 24"):
        sampler(world_size=2, grad_accum_steps=5)
    with pytest.raises(InputError, match="at most 10, the number of training samples; it is 24"):
        sampler(10)


class Drawn(Dataset[torch.Tensor]):
    """Samples that draw from Python, numpy and torch."""

    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.tensor([index, random.random(), np.random.rand(), torch.rand(()).item()])


def test_augmentation_depends_on_seed_epoch_and_sample_alone() -> None:
    def samples(seed: int, *, augmented: bool = True) -> EpochSamples:
        return EpochSamples(Splits(Drawn(), Drawn(), Drawn(), augmented=augmented), seed)

    keys = [(epoch, index) for epoch in range(3) for index in range(10)]
    drawn = [samples(0)[key][1:] for key in keys]
    again = [samples(0)[key][1:] for key in reversed(keys)][::-1]

    assert all(torch.equal(one, other) for one, other in zip(drawn, again, strict=True))
    for column in torch.stack([*drawn, *(samples(1)[key][1:] for key in keys)]).T:
        assert len(column.unique()) == 60
    # And the run's own generators are where they were.
    state = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    samples(0)[0, 0]
    assert torch.equal(torch.get_rng_state(), state[0])
    assert (np.random.get_state()[1].tolist(), random.getstate()) == state[1:]
    with seeded(3):
        samples(0, augmented=False)[0, 0]
        assert torch.rand(()) != torch.rand(())


def test_samples_that_no_worker_can_get_are_reported_in_one_sentence() -> None:
    batches = evaluation_batches(
        Drawn(), lambda samples: samples, Processes(), batch_size=2, limit=0, workers=1
    )
    with pytest.raises(InputError, match=r"lambda.* at the top level of a module"):
        next(batches)


@pytest.mark.parametrize(("count", "world_size"), [(1, 2), (5, 2), (10, 3), (2, 4), (7, 1)])
@pytest.mark.parametrize("limit", [0, 3])
def test_evaluation_counts_each_sample_once(count: int, world_size: int, limit: int) -> None:
    dataset: Any = torch.arange(count)
    seen, given = [], []
    for rank in range(world_size):
        batches = list(
            evaluation_batches(
                dataset,
                default_collate,
                Processes(rank=rank, world_size=world_size),
                batch_size=2,
                limit=limit,
                workers=0,
            )
        )
        given.append(len(batches))
        seen += [index for batch, counts in batches if counts for index in batch.tolist()]

    # A sharded model waits for every process in each batch.
    assert len(set(given)) == 1
    assert sorted(seen) == list(range(min(count, limit or count)))


@pytest.mark.parametrize("training", [True, False])
def test_evaluation_restores_the_mode_and_keeps_no_gradient(training: bool) -> None:
    evaluation = importlib.import_module("tabular.training.evaluation")
    data, models, settings = (
        importlib.import_module(f"tabular.task.{name}") for name in ("data", "model", "settings")
    )
    splits = data.splits(settings.DataConfig())
    model = models.build_model(settings.ModelConfig()).train(training)
    cpu = torch.device("cpu")

    whole = evaluation.evaluate(model, splits.test, splits.collate, cpu)
    small = evaluation.evaluate(model, splits.test, splits.collate, cpu, batch_size=7)
    limited = evaluation.evaluate(model, splits.test, splits.collate, cpu, batch_size=7, limit=14)

    assert model.training is training
    assert all(parameter.grad is None for parameter in model.parameters())
    # Kernels may round differently for another batch size, and R² is a difference of like numbers.
    assert small.figures == pytest.approx(whole.figures, rel=1e-4, abs=1e-5)
    assert (small.state.count, limited.state.count) == (len(splits.test), 14)
