"""The fresh process that loads an artefact, as whoever gets it would, and runs the test images.

    python -m PACKAGE.export.load_back MODULE PLACE IMAGES RESULT

MODULE is the target's and PLACE the artefact's folder, or that of the model itself and its
checkpoint; RESULT is written.
"""

import dataclasses
import importlib
import sys
from pathlib import Path

import torch

from .measurement import measure


def main(module: str, place: str, images: str, result: str) -> None:
    """Load, run and write."""
    predict = importlib.import_module(module).load(Path(place))
    measured = measure(predict, torch.load(images, weights_only=True))
    torch.save({size: dataclasses.asdict(one) for size, one in measured.items()}, result)


if __name__ == "__main__":
    main(*sys.argv[1:])
