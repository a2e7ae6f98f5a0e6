"""The digits: what they look like, how they are split and fed."""

import pytest
import torch
from torch.utils.data import TensorDataset

from digit_classifier.config import DataConfig
from digit_classifier.data import (
    CLASSES,
    evaluation_batches,
    load_splits,
    training_batches,
)
from digit_classifier.distributed import ALONE, Processes
from digit_classifier.sampling import SharedBatches


def test_images_are_float32_from_0_to_1_with_a_channel() -> None:
    images, labels = load_splits(DataConfig()).train.tensors

    assert images.shape[1:] == (1, 8, 8)
    assert images.dtype == torch.float32
    assert images.min() == 0
    assert images.max() == 1
    assert labels.dtype == torch.int64
    assert labels.unique().tolist() == list(range(CLASSES))


def test_parts_have_the_sizes_that_the_settings_say() -> None:
    splits = load_splits(DataConfig(validation_share=0.1, test_share=0.3))

    assert len(splits.train) == 1797 - 180 - 539
    assert len(splits.validation) == 180
    assert len(splits.test) == 539


def test_no_image_is_lost_or_in_two_parts() -> None:
    splits = load_splits(DataConfig())
    whole = load_splits(DataConfig(split_seed=1))

    def rows(*parts: torch.utils.data.TensorDataset) -> list[list[float]]:
        return sorted(torch.cat([part.tensors[0].flatten(1) for part in parts]).tolist())

    # Two splits by different seeds hold the same images, so none is there twice or not at all.
    assert rows(splits.train, splits.validation, splits.test) == rows(
        whole.train, whole.validation, whole.test
    )


def test_each_digit_has_the_same_share_in_every_part() -> None:
    splits = load_splits(DataConfig())

    for part in (splits.train, splits.validation, splits.test):
        shares = torch.bincount(part.tensors[1], minlength=CLASSES) / len(part)
        assert shares.sub(1 / CLASSES).abs().max() < 0.01


def test_the_seed_decides_the_split() -> None:
    first, again, other = (load_splits(DataConfig(split_seed=seed)) for seed in (1, 1, 2))

    assert torch.equal(first.test.tensors[0], again.test.tensors[0])
    assert not torch.equal(first.test.tensors[0], other.test.tensors[0])


def test_training_takes_the_sampler_s_images_and_no_random_numbers() -> None:
    dataset = load_splits(DataConfig()).train
    sampler = SharedBatches(len(dataset), batch_size=64)
    before = torch.get_rng_state()

    batches = list(training_batches(dataset, sampler, torch.device("cpu"), torch.Generator()))

    assert torch.equal(torch.get_rng_state(), before)
    for (_, labels), indices in zip(batches, sampler, strict=True):
        assert torch.equal(labels, dataset.tensors[1][indices])


def test_evaluation_keeps_the_order_and_every_image() -> None:
    dataset = load_splits(DataConfig()).test

    labels = torch.cat([labels for _, labels in evaluation_batches(dataset, ALONE)])

    assert torch.equal(labels, dataset.tensors[1])


@pytest.mark.parametrize("images", [1, 10, 11, 600])
def test_shares_for_evaluation_are_of_one_size_and_hold_every_image(images: int) -> None:
    dataset = TensorDataset(torch.zeros(images, 1), torch.arange(images))

    shares = [
        torch.cat(
            [labels for _, labels in evaluation_batches(dataset, Processes(rank, world_size=4))]
        )
        for rank in range(4)
    ]

    assert len({len(share) for share in shares}) == 1
    assert torch.equal(torch.cat(shares)[:images], torch.arange(images))
