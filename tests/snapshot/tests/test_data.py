"""The digits: what they look like, how they are split and fed."""

import torch

from digit_classifier.config import DataConfig
from digit_classifier.data import (
    CLASSES,
    load_splits,
    ordered_batches,
    shuffled_batches,
)


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


def test_the_generator_alone_decides_the_order() -> None:
    dataset = load_splits(DataConfig()).train

    def order(seed: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        return torch.cat([labels for _, labels in shuffled_batches(dataset, 64, generator)])

    torch.manual_seed(0)
    first = order(5)
    torch.manual_seed(1)
    assert torch.equal(first, order(5))
    assert not torch.equal(first, order(6))


def test_a_second_round_has_another_order() -> None:
    batches = shuffled_batches(load_splits(DataConfig()).train, 64, torch.Generator())

    first, second = ([labels for _, labels in batches] for _ in range(2))

    assert not torch.equal(torch.cat(first), torch.cat(second))


def test_evaluation_keeps_the_order_and_every_image() -> None:
    dataset = load_splits(DataConfig()).test

    labels = torch.cat([labels for _, labels in ordered_batches(dataset)])

    assert torch.equal(labels, dataset.tensors[1])
