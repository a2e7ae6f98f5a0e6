"""The curves of a run, as a PNG file; no display is needed."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from ..checkpoints.files import write_atomically
from .metrics_log import Record


def plot_losses(records: Sequence[Record], path: Path) -> None:
    """Draw the losses of training and validation over the epochs."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    epochs = [record["epoch"] for record in records]
    for name in ("train_loss", "validation_loss"):
        # A marker, since a run of one epoch has no line to draw.
        values = [record[name] for record in records]
        axes.plot(epochs, values, marker=".", label=name.removesuffix("_loss"))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if all(record[name] > 0 for record in records for name in ("train_loss", "validation_loss")):
        axes.set_yscale("log")
        # 0.05 is read at a glance; matplotlib's own choice would be 5 x 10^-2.
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("epoch")
    axes.set_ylabel("loss")
    axes.grid(alpha=0.3)
    axes.legend()
    write_atomically(path, lambda file: figure.savefig(file, format="png"))
