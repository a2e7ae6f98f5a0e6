"""Pictures of a run, as PNG files; they need no display."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from torch import Tensor

from .files import write_atomically
from .metrics import Record


def plot_confusion(confusion: Tensor, path: Path) -> None:
    """Draw how often each class was taken for which; ``confusion`` is ``(true, predicted)``."""
    figure = Figure(figsize=(6, 5.5), layout="constrained")
    axes = figure.add_subplot()
    counts = confusion.numpy()
    # The square root shows single mistakes beside the full diagonal.
    axes.imshow(counts**0.5, cmap="Blues")
    classes = range(len(counts))
    for true in classes:
        for predicted in classes:
            count = int(counts[true, predicted])
            if count:
                light = count > counts.max() / 3
                axes.text(
                    predicted,
                    true,
                    str(count),
                    ha="center",
                    va="center",
                    color="white" if light else "black",
                )
    axes.set_xticks(classes)
    axes.set_yticks(classes)
    axes.set_xlabel("predicted digit")
    axes.set_ylabel("true digit")
    correct, total = int(counts.diagonal().sum()), int(counts.sum())
    axes.set_title(f"{correct} of {total} images right ({correct / total:.1%})")
    _save(figure, path)


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
    axes.set_yscale("log")
    # 0.05 is read at a glance; matplotlib's own choice would be 5 x 10^-2.
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("epoch")
    axes.set_ylabel("cross-entropy loss")
    axes.grid(alpha=0.3)
    axes.legend()
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    FigureCanvasAgg(figure)  # becomes the canvas that the figure is saved with
    write_atomically(path, lambda file: figure.savefig(file, format="png"))
