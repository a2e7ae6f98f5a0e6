"""Predictions of a trained classifier for images that come from outside."""

import dataclasses
import threading
from pathlib import Path

import torch
from torch import Tensor, nn

from .device import choose_device
from .errors import InputError
from .trained import load_trained

SIDE = 8
"""Pixels in a row and in a column."""

MAX_IMAGES = 1024
"""Images in one request."""


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What the model says about one image."""

    label: int
    """The most likely class."""
    probabilities: list[float]
    """One of each class; they add up to 1."""


class Predictor:
    """Predict with a model, one batch at a time, from any thread.

    Args:
        model: takes images ``(N, 1, 8, 8)`` and returns logits ``(N, classes)``
        device: where the model is
    """

    def __init__(self, model: nn.Module, device: torch.device) -> None:
        self._model = model.eval()
        self._device = device
        # Two batches at once would share the cores or the GPU's memory, and neither be sooner.
        self._turn = threading.Lock()

    @torch.inference_mode()
    def predict(self, images: Tensor) -> list[Prediction]:
        """Return what the model says about images ``(N, 1, 8, 8)`` with pixels from 0 to 1."""
        with self._turn:
            logits = self._model(images.to(self._device)).float().cpu()
        shares = logits.softmax(dim=1)
        return [
            Prediction(label=label, probabilities=row)
            for label, row in zip(shares.argmax(dim=1).tolist(), shares.tolist(), strict=True)
        ]


def load_predictor(path: Path, device: str = "auto") -> Predictor:
    """Return a predictor with the weights of a run, such as runs/digits/best.pt."""
    model = load_trained(path).model
    chosen = choose_device(device)
    return Predictor(model.to(chosen), chosen)


def images_from_values(values: object) -> Tensor:
    """Return images ``(N, 1, 8, 8)`` from lists of rows of pixels, as JSON has them."""
    if not isinstance(values, list) or not 1 <= len(values) <= MAX_IMAGES:
        raise InputError(f"images must be a list of 1 to {MAX_IMAGES} images.")
    for number, image in enumerate(values):
        if not _is_image(image):
            raise InputError(
                f"images[{number}] must be {SIDE} rows of {SIDE} numbers from 0, paper, to 1, ink."
            )
    return torch.tensor(values, dtype=torch.float32).unsqueeze(1)


def _is_image(image: object) -> bool:
    return (
        isinstance(image, list)
        and len(image) == SIDE
        and all(isinstance(row, list) and len(row) == SIDE for row in image)
        and all(_is_pixel(pixel) for row in image for pixel in row)
    )


def _is_pixel(pixel: object) -> bool:
    # A bool is an int to Python; NaN is below and above nothing.
    return isinstance(pixel, int | float) and not isinstance(pixel, bool) and 0 <= pixel <= 1
