"""The shares of each step: together always the same images, whoever takes them."""

import itertools
from collections.abc import Iterable

import pytest

from digit_classifier.errors import InputError
from digit_classifier.sampling import SharedBatches


def steps(sampler: SharedBatches, epoch: int, first: int = 0) -> list[list[int]]:
    """Return the images that a process takes in each step of an epoch."""
    sampler.start(epoch, first)
    shares = list(sampler)
    assert len(shares) == len(sampler)
    size = sampler.accumulation
    return [flat(shares[start : start + size]) for start in range(0, len(shares), size)]


def flat(shares: Iterable[list[int]]) -> list[int]:
    """Return all images of several shares."""
    return list(itertools.chain.from_iterable(shares))


def test_an_epoch_takes_each_image_once_but_for_the_rest() -> None:
    taken = flat(steps(SharedBatches(100, batch_size=24), epoch=0))

    assert len(taken) == len(set(taken)) == 96


@pytest.mark.parametrize(("world_size", "accumulation"), [(1, 3), (2, 1), (2, 2), (3, 4)])
def test_processes_and_micro_steps_share_the_same_batches(
    world_size: int,
    accumulation: int,
) -> None:
    whole = steps(SharedBatches(100, batch_size=24, seed=5), epoch=3)
    shares = [
        steps(
            SharedBatches(
                100,
                batch_size=24,
                accumulation=accumulation,
                seed=5,
                rank=rank,
                world_size=world_size,
            ),
            epoch=3,
        )
        for rank in range(world_size)
    ]

    for number, batch in enumerate(whole):
        assert {len(share[number]) for share in shares} == {24 // world_size}
        assert sorted(flat(share[number] for share in shares)) == sorted(batch)


def test_a_place_in_an_epoch_is_found_again() -> None:
    sampler = SharedBatches(100, batch_size=10, accumulation=2)

    assert steps(sampler, epoch=2, first=7) == steps(sampler, epoch=2)[7:]
    assert steps(sampler, epoch=2, first=10) == []


def test_seed_and_epoch_decide_on_the_order() -> None:
    first = steps(SharedBatches(50, batch_size=50, seed=1), epoch=0)

    assert first == steps(SharedBatches(50, batch_size=50, seed=1), epoch=0)
    assert first != steps(SharedBatches(50, batch_size=50, seed=1), epoch=1)
    assert first != steps(SharedBatches(50, batch_size=50, seed=2), epoch=0)


def test_what_cannot_be_shared_evenly_is_refused() -> None:
    with pytest.raises(InputError, match="times micro-steps, 2 times 3; it is 64"):
        SharedBatches(100, batch_size=64, world_size=2, accumulation=3)


def test_a_batch_larger_than_the_data_is_refused() -> None:
    with pytest.raises(InputError, match="at most 10, the number of training images; it is 11"):
        SharedBatches(10, batch_size=11)
