"""Predictions for images from outside: which are accepted, and that they are the model's."""

from typing import Any

import pytest
import torch

from {{ package }}.classifier import build_classifier
from {{ package }}.config import ModelConfig
from {{ package }}.errors import InputError
from {{ package }}.prediction import MAX_IMAGES, Predictor, images_from_values

CPU = torch.device("cpu")
BLANK = [[0] * 8 for _ in range(8)]


def with_pixel(pixel: Any) -> list[list[Any]]:
    """Return a blank image with this for its last pixel."""
    return [*BLANK[:7], [*BLANK[7][:7], pixel]]


def test_predictions_are_the_models() -> None:
    model = build_classifier(ModelConfig(channels=4, hidden_features=8)).eval()
    images = torch.rand(5, 1, 8, 8)
    with torch.inference_mode():
        expected = model(images).softmax(dim=1)

    predictions = Predictor(model, CPU).predict(images)

    assert [each.label for each in predictions] == expected.argmax(dim=1).tolist()
    torch.testing.assert_close(torch.tensor([each.probabilities for each in predictions]), expected)


def test_a_model_in_training_mode_predicts_without_dropout() -> None:
    model = build_classifier(ModelConfig(channels=4, hidden_features=8, dropout=0.9)).train()
    predictor = Predictor(model, CPU)
    images = torch.rand(2, 1, 8, 8)

    assert predictor.predict(images) == predictor.predict(images)


def test_lists_become_images() -> None:
    images = images_from_values([BLANK, with_pixel(1), with_pixel(0.5)])

    assert images.shape == (3, 1, 8, 8)
    assert images.dtype == torch.float32
    assert images[:, 0, 7, 7].tolist() == [0, 1, 0.5]
    assert images.sum() == 1.5


@pytest.mark.parametrize(
    "values",
    [
        None,
        {},
        [],
        [BLANK] * (MAX_IMAGES + 1),
        [BLANK[:7]],
        [[*BLANK[:7], [0] * 9]],
        [[*BLANK[:7], "00000000"]],
        [[0] * 64],
        BLANK,
        [with_pixel(None)],
        [with_pixel("1")],
        [with_pixel(True)],
        [with_pixel([0])],
        [with_pixel(-0.1)],
        [with_pixel(16)],
        [with_pixel(10**400)],
        [with_pixel(float("nan"))],
        [with_pixel(float("inf"))],
    ],
)
def test_what_is_no_image_is_refused(values: object) -> None:
    with pytest.raises(InputError, match="must be"):
        images_from_values(values)


def test_the_refusal_tells_which_image() -> None:
    with pytest.raises(InputError, match=r"images\[1\]"):
        images_from_values([BLANK, with_pixel(2), BLANK])
