"""The pictures of a run: whole at any moment, with axes that can be read."""

from pathlib import Path

import pytest
import torch
from matplotlib.figure import Figure

from digit_classifier import plots


def labels_of(
    monkeypatch: pytest.MonkeyPatch,
    epochs: int,
    first: float,
    last: float,
) -> tuple[list[str], list[str]]:
    """Return the labels of both axes that are in sight for losses from first to last."""
    figures: list[Figure] = []
    monkeypatch.setattr(plots, "_save", lambda figure, path: figures.append(figure))
    losses = torch.linspace(first, last, epochs).tolist()
    plots.plot_losses(
        [
            {"epoch": epoch, "train_loss": loss, "validation_loss": loss}
            for epoch, loss in enumerate(losses, start=1)
        ],
        Path("losses.png"),
    )
    (axes,) = figures[0].axes
    figures[0].canvas.draw()

    def in_sight(labels: list[str], places: list[float], limits: tuple[float, float]) -> list[str]:
        low, high = limits
        pairs = zip(labels, places, strict=True)
        return [label for label, place in pairs if label and low <= place <= high]

    along, up = axes.xaxis, axes.yaxis
    return (
        in_sight(
            [label.get_text() for label in along.get_ticklabels(which="both")],
            [*along.get_majorticklocs(), *along.get_minorticklocs()],
            axes.get_xlim(),
        ),
        in_sight(
            [label.get_text() for label in up.get_ticklabels(which="both")],
            [*up.get_majorticklocs(), *up.get_minorticklocs()],
            axes.get_ylim(),
        ),
    )


@pytest.mark.parametrize(
    ("epochs", "first", "last"),
    [(1, 2.3, 2.3), (2, 2.3, 2.2), (3, 0.9, 0.2), (30, 2.3, 0.003)],
)
def test_epochs_are_whole_numbers_and_losses_plain_ones(
    monkeypatch: pytest.MonkeyPatch,
    epochs: int,
    first: float,
    last: float,
) -> None:
    along, up = labels_of(monkeypatch, epochs, first, last)

    assert along
    assert all(label.isdecimal() for label in along)
    assert up
    assert all(label.replace(".", "").isdecimal() for label in up)


def test_a_picture_that_fails_leaves_the_old_one(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "confusion.png"
    plots.plot_confusion(torch.eye(10), path)
    before = path.read_bytes()
    assert before.startswith(b"\x89PNG")

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        plots.plot_confusion(torch.eye(10), path)

    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
