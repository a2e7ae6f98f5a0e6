"""Pruning: which weights go, what training makes of the rest, and who takes the result."""

import json
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from digit_classifier.checkpoint import Weights, load_state, save_state
from digit_classifier.config import ModelConfig, TrainConfig
from digit_classifier.errors import InputError, Told
from digit_classifier.evaluate import main as evaluate
from digit_classifier.export.__main__ import main
from digit_classifier.export.masks import Masks
from digit_classifier.export.prune import FILE, Prune
from digit_classifier.training import Trainer

from .conftest import RunExport


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a model that has weights to spare, in place of the small one of the other tests."""
    model = ModelConfig(channels=24, hidden_features=48)
    trainer = Trainer(TrainConfig(epochs=15, device="cpu", model=model))
    for _ in range(trainer.config.epochs):
        trainer.train_epoch(lambda: None)
    loss = trainer.validate().loss
    weights = Weights(trainer.config, epoch=15, loss=loss, model=trainer.model.state_dict())
    path = tmp_path_factory.mktemp("run") / "best.pt"
    save_state(weights, path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--structured"]])
def test_half_of_the_weights_go_and_accuracy_stays(
    options: list[str],
    run_export: RunExport,
    checkpoint: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = run_export("prune", *options)

    before, after = report["accuracy"]["before"], report["accuracy"]["after"]
    assert before > 0.95
    # Two of the 359 images.
    assert after >= before - 0.006

    whole, pruned = load_state(Weights, checkpoint), load_state(Weights, tmp_path / "out" / FILE)
    # No masks, no hooks' leftovers: a checkpoint as any other.
    assert {name: value.shape for name, value in pruned.model.items()} == {
        name: value.shape for name, value in whole.model.items()
    }
    assert pruned.config == whole.config
    assert pruned.epoch == whole.epoch + report["facts"]["epochs_until_the_best"]
    sparsity = {
        name: (value == 0).double().mean().item()
        for name, value in pruned.model.items()
        if name in report["facts"]["sparsity"]
    }
    assert sparsity == report["facts"]["sparsity"]
    zeros = sum(share * pruned.model[name].numel() for name, share in sparsity.items())
    total = sum(pruned.model[name].numel() for name in sparsity)
    assert zeros / total == pytest.approx(0.5, abs=0.02)
    untouched = [
        value
        for name, value in pruned.model.items()
        if name not in sparsity and name.endswith(("weight", "bias"))
    ]
    assert untouched
    assert all((value != 0).any() for value in untouched)
    # Some of them have been trained.
    assert any(not torch.equal(pruned.model[name], whole.model[name]) for name in sparsity)

    evaluate(["--checkpoint", str(tmp_path / "out" / FILE), "--device", "cpu"])
    assert f"test accuracy {after:.2%}" in capsys.readouterr().out
    print(f"{options}: accuracy {before:.2%} before, {after:.2%} after")


@pytest.mark.slow
@pytest.mark.parametrize("target", ["onnx", "torch-export"])
def test_other_exports_take_a_pruned_checkpoint(
    target: str,
    run_export: RunExport,
    tmp_path: Path,
) -> None:
    run_export("prune", "--epochs", "2", "--max-accuracy-loss", "100")
    pruned = (tmp_path / "out").rename(tmp_path / "pruned") / FILE

    main([target, "--checkpoint", str(pruned), "--out", str(tmp_path / "out")])

    report = json.loads((tmp_path / "out" / "export.json").read_text(encoding="utf-8"))
    assert report["metadata"]["checkpoint"]["file"] == pruned.name
    assert report["agreement"] == 1


@pytest.mark.slow
def test_without_training_the_smallest_weights_are_zero_and_the_others_as_they_were(
    run_export: RunExport,
    checkpoint: Path,
    tmp_path: Path,
) -> None:
    report = run_export("prune", "--epochs", "0", "--max-accuracy-loss", "100")

    whole, pruned = load_state(Weights, checkpoint), load_state(Weights, tmp_path / "out" / FILE)
    names = report["facts"]["sparsity"]
    before = torch.cat([whole.model[name].flatten() for name in names])
    after = torch.cat([pruned.model[name].flatten() for name in names])
    gone = after == 0
    assert gone.sum() == round(0.5 * len(before))
    assert before[gone].abs().max() <= before[~gone].abs().min()
    assert torch.equal(after[~gone], before[~gone])
    assert pruned.epoch == whole.epoch


@pytest.mark.slow
def test_training_repairs_what_pruning_broke(run_export: RunExport, tmp_path: Path) -> None:
    with pytest.raises(Told):
        run_export("prune", "--structured", "--epochs", "0")
    assert list(tmp_path.iterdir()) == []

    report = run_export("prune", "--structured")

    assert report["facts"]["epochs_until_the_best"] > 0


class Tied(nn.Module):
    """A map, a norm, a convolution, and the first map once more."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(6, 6)
        self.norm = nn.LayerNorm(6)
        self.conv = nn.Conv1d(6, 4, kernel_size=3)
        self.last = self.first

    def forward(self, features: Tensor) -> Tensor:
        return self.last(self.conv(self.norm(self.first(features))))


def test_maps_are_pruned_once_and_nothing_else() -> None:
    model = Tied()

    Masks.smallest(model, 0.75, structured=False).apply()

    zeros = {name: int((value == 0).sum()) for name, value in model.named_parameters()}
    assert zeros.pop("first.weight") + zeros.pop("conv.weight") == 0.75 * (36 + 72)
    # The norm's own shift starts at zero.
    assert zeros.pop("norm.bias") == 6
    assert set(zeros.values()) == {0}


def test_of_equal_weights_as_many_go_as_were_asked_for() -> None:
    model = nn.Linear(10, 10)
    nn.init.ones_(model.weight)

    Masks.smallest(model, 0.3, structured=False).apply()

    assert (model.weight == 0).sum() == 30


def test_whole_channels_go_and_one_of_each_layer_stays() -> None:
    first, second = nn.Conv2d(1, 8, kernel_size=3), nn.Conv2d(8, 8, kernel_size=3)
    channels = torch.arange(8.0).roll(3) + 1
    with torch.no_grad():
        second.weight.copy_(channels.view(1, 8, 1, 1).expand(8, 8, 3, 3))

    Masks.smallest(nn.Sequential(first, second), 0.5, structured=True).apply()

    assert first.weight.count_nonzero() == first.weight.numel()
    kept = second.weight.ne(0).transpose(0, 1).flatten(1)
    assert torch.equal(kept.all(dim=1), channels > 4)
    assert torch.equal(kept.any(dim=1), channels > 4)


def test_what_an_optimizer_moves_is_zero_again() -> None:
    model = nn.Linear(10, 10)
    masks = Masks.smallest(model, 0.5, structured=False)
    masks.apply()
    gone = model.weight == 0

    nn.init.ones_(model.weight)
    masks.apply()

    assert torch.equal(model.weight == 0, gone)


def test_a_model_without_maps_is_refused() -> None:
    with pytest.raises(InputError, match="LayerNorm has no weights that could be pruned"):
        Masks.smallest(nn.LayerNorm(4), 0.5, structured=False)


@pytest.mark.parametrize("amount", [0.0, 1.0, -0.5, math.nan])
def test_an_amount_that_means_nothing_is_refused(amount: float, tmp_path: Path) -> None:
    target = Prune(checkpoint=tmp_path / "best.pt", out=tmp_path / "out", amount=amount)

    with pytest.raises(InputError, match="--amount must be between 0 and 1"):
        target.check()


def test_fewer_epochs_than_none_are_refused(tmp_path: Path) -> None:
    target = Prune(checkpoint=tmp_path / "best.pt", out=tmp_path / "out", epochs=-1)

    with pytest.raises(InputError, match="--epochs must be at least 0; it is -1"):
        target.check()
