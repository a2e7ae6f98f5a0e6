"""Real digits to ask about, prepared as the model was trained to see them."""

from typing import cast

from sklearn.datasets import load_digits

from .connection import Images


def load_images() -> tuple[Images, list[int]]:
    """Return scikit-learn's digits, each with what it is."""
    digits = load_digits()
    grey = digits.images.reshape(-1, 1, 8, 8) / 16
    return cast(Images, grey.tolist()), digits.target.tolist()
