"""Pruning: which weights go, what training makes of the rest, and who takes the result."""

from __future__ import annotations

import importlib
import math
from typing import TYPE_CHECKING

import pytest
import torch
from digits.command import InputError
from digits.export.prune import FILE, Prune, apply, smallest
from torch import Tensor, nn

from .conftest import call

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Checkpoint, RunExport


@pytest.mark.parametrize(
    ("package", "options"),
    [
        ("tabular", ("--amount=0.3",)),
        ("fourth", ("--amount=0.3", "--epochs=5", "--structured")),
        ("sequence", ("--amount=0.2", "--epochs=1")),
    ],
)
def test_weights_go_and_the_tasks_metric_stays(
    package: str,
    options: tuple[str, ...],
    checkpoint: Checkpoint,
    run_export: RunExport,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = run_export(package, tmp_path / "pruned", "prune", *options)

    tolerance = importlib.import_module(f"{package}.task.objective").PRIMARY.tolerance
    assert report["degradation"] <= tolerance
    state = importlib.import_module(f"{package}.checkpoints.state")
    path = tmp_path / "pruned" / FILE
    whole = state.load_state(state.Weights, checkpoint(package))
    pruned = state.load_state(state.Weights, path)
    # No masks, no leftovers of hooks: a checkpoint as any other.
    assert {name: value.shape for name, value in pruned.model.items()} == {
        name: value.shape for name, value in whole.model.items()
    }
    assert pruned.config == whole.config
    assert pruned.epoch == whole.epoch + report["facts"]["epochs_until_the_best"]
    sparsity = report["facts"]["sparsity"]
    for name, fraction in sparsity.items():
        assert (pruned.model[name] == 0).double().mean().item() == fraction
    wanted = 100 * float(options[0].partition("=")[2])
    zeros = float(report["facts"]["zeros"].partition("%")[0])
    assert "structured" in options[-1] or zeros == pytest.approx(wanted, abs=0.2)

    capsys.readouterr()
    assert call(f"{package}.evaluate", "--checkpoint", path, "--device=cpu") == 0
    primary = report["primary"]
    assert f"{primary}: {report['metrics']['after'][primary]:.3g}"[:-1] in capsys.readouterr().out


def test_other_exports_take_a_pruned_checkpoint(
    run_export: RunExport,
    tmp_path: Path,
) -> None:
    run_export("tabular", tmp_path / "pruned", "prune", "--epochs=0", "--max-metric-loss=1e3")
    pruned = tmp_path / "pruned" / FILE
    out = tmp_path / "out"

    assert call("tabular.export.__main__", "onnx", "--checkpoint", pruned, "--out", out) == 0


def test_without_training_too_much_is_lost_and_nothing_is_exported(
    checkpoint: Checkpoint,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    paths = ("--checkpoint", checkpoint("digits"), "--out", tmp_path / "out")
    options = ("--structured", "--amount=0.6", "--epochs=0")

    assert call("digits.export.__main__", "prune", *paths, *options) == 1

    assert "accuracy goes from 0.9" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def zeroed(model: nn.Module, amount: float, *, structured: bool) -> dict[str, int]:
    """Prune, and return how many zeros each parameter has."""
    apply(smallest(model, amount, structured=structured), model)
    return {name: int((value == 0).sum()) for name, value in model.named_parameters()}


class Tied(nn.Module):
    """A map, a norm, a convolution, and the first map once more."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(6, 6)
        self.norm = nn.LayerNorm(6)
        self.conv = nn.Conv1d(6, 4, kernel_size=3)
        self.last = self.first

    def forward(self, features: Tensor) -> Tensor:
        """Return features."""
        return self.last(self.conv(self.norm(self.first(features))))


def test_maps_are_pruned_once_and_nothing_else() -> None:
    zeros = zeroed(Tied(), 0.75, structured=False)
    assert zeros.pop("first.weight") + zeros.pop("conv.weight") == 0.75 * (36 + 72)
    # The norm's own shift starts at zero.
    assert zeros.pop("norm.bias") == 6
    assert set(zeros.values()) == {0}


def test_of_equal_weights_as_many_go_as_were_asked_for() -> None:
    model = nn.Linear(10, 10)
    nn.init.ones_(model.weight)
    assert zeroed(model, 0.3, structured=False)["weight"] == 30


def test_the_smallest_weights_go_and_the_others_stay() -> None:
    model = nn.Linear(10, 10)
    before = model.weight.detach().clone()
    assert zeroed(model, 0.5, structured=False)["weight"] == 50
    gone = model.weight == 0
    assert before[gone].abs().max() <= before[~gone].abs().min()
    assert torch.equal(model.weight[~gone], before[~gone])


def test_whole_channels_go_and_one_of_each_layer_stays() -> None:
    first, second = nn.Conv2d(1, 8, kernel_size=3), nn.Conv2d(8, 8, kernel_size=3)
    channels = torch.arange(8.0).roll(3) + 1
    with torch.no_grad():
        second.weight.copy_(channels.view(1, 8, 1, 1).expand(8, 8, 3, 3))

    zeroed(nn.Sequential(first, second), 0.5, structured=True)

    assert first.weight.count_nonzero() == first.weight.numel()
    kept = second.weight.ne(0).transpose(0, 1).flatten(1)
    assert torch.equal(kept.all(dim=1), channels > 4)
    assert torch.equal(kept.any(dim=1), channels > 4)


def test_a_model_without_maps_is_refused() -> None:
    with pytest.raises(InputError, match="LayerNorm has no weights that could be pruned"):
        smallest(nn.LayerNorm(4), 0.5, structured=False)


@pytest.mark.parametrize("amount", [0.0, 1.0, -0.5, math.nan])
def test_an_amount_that_means_nothing_is_refused(amount: float, tmp_path: Path) -> None:
    target = Prune(checkpoint=tmp_path / "best.pt", out=tmp_path / "out", amount=amount)
    with pytest.raises(InputError, match="--amount must be between 0 and 1"):
        target.check()


def test_fewer_epochs_than_none_are_refused(tmp_path: Path) -> None:
    target = Prune(checkpoint=tmp_path / "best.pt", out=tmp_path / "out", epochs=-1)
    with pytest.raises(InputError, match="--epochs must be at least 0; it is -1"):
        target.check()
