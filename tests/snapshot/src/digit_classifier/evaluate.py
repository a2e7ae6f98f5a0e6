"""Evaluate a checkpoint on the test images of its run."""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from .command import run_command
from .data import load_splits
from .device import choose_device
from .evaluation import evaluate
from .plots import plot_confusion
from .trained import load_trained


@dataclasses.dataclass(frozen=True)
class EvaluateCommand:
    """The command line of evaluation."""

    checkpoint: Annotated[Path, tyro.conf.arg(metavar="FILE")]
    """The weights of a run, such as runs/digits/best.pt."""

    device: str = "auto"
    """Where to compute: cpu, cuda, cuda:1, mps; auto takes the best that is there."""


def main(arguments: Sequence[str]) -> None:
    """Print accuracy, figures of each class and the confusion matrix; draw the matrix too."""
    command = tyro.cli(
        EvaluateCommand,
        prog="python -m digit_classifier.evaluate",
        description="Evaluate a checkpoint on the test images of its run.",
        args=arguments,
    )
    trained = load_trained(command.checkpoint)
    weights = trained.weights
    device = choose_device(command.device)
    test = load_splits(weights.config.data).test
    evaluation = evaluate(trained.model.to(device), test, device)

    print(f"{command.checkpoint}, after epoch {weights.epoch}")
    print(f"test accuracy {evaluation.accuracy:.2%}, loss {evaluation.loss:.4f}\n")
    print(evaluation.report())
    print("confusion matrix, a row for each true digit, a column for each predicted one:")
    print(evaluation.confusion.numpy())
    # Drawn last, since the folder may be one that cannot be written to.
    picture = command.checkpoint.with_name(f"{command.checkpoint.stem}_confusion.png")
    plot_confusion(evaluation.confusion, picture)
    print(f"\nas a picture: {picture}")


if __name__ == "__main__":
    sys.exit(run_command(lambda: main(sys.argv[1:])))
