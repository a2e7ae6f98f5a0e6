"""Evaluation: what is counted, and its command line."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from digit_classifier.checkpoint import Weights, load_state, save_state
from digit_classifier.command import run_command
from digit_classifier.config import ModelConfig, TrainConfig
from digit_classifier.evaluate import main
from digit_classifier.evaluation import evaluate
from digit_classifier.training import Trainer

CPU = torch.device("cpu")


class BrightestPixel(nn.Module):
    """Predict the index of the brightest of the first ten pixels; noise in training only."""

    def forward(self, images: Tensor) -> Tensor:
        return nn.functional.dropout(images.flatten(1)[:, :10], 0.9, self.training)


def images_of(predictions: list[int]) -> Tensor:
    """Return images for which ``BrightestPixel`` predicts these digits."""
    images = torch.zeros(len(predictions), 64)
    images[torch.arange(len(predictions)), torch.tensor(predictions)] = 1
    return images.reshape(-1, 1, 8, 8)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Train one epoch and keep it."""
    model = ModelConfig(channels=4, hidden_features=8)
    trainer = Trainer(TrainConfig(epochs=1, device="cpu", model=model))
    trainer.train_epoch(lambda: None)
    weights = Weights(trainer.config, epoch=1, loss=0.5, model=trainer.model.state_dict())
    save_state(weights, tmp_path / "best.pt")
    return tmp_path / "best.pt"


def test_right_and_wrong_are_counted() -> None:
    dataset = TensorDataset(images_of([0, 1, 1, 9]), torch.tensor([0, 1, 2, 9]))

    evaluation = evaluate(BrightestPixel(), dataset, CPU)

    assert evaluation.accuracy == 0.75
    assert evaluation.confusion.nonzero().tolist() == [[0, 0], [1, 1], [2, 1], [9, 9]]
    assert evaluation.confusion.sum() == 4
    logits = images_of([0, 1, 1, 9]).flatten(1)[:, :10]
    assert evaluation.loss == pytest.approx(
        nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 9])).item()
    )


def test_every_image_counts_in_several_batches() -> None:
    digits = [index % 10 for index in range(700)]
    dataset = TensorDataset(images_of(digits), torch.tensor(digits))

    evaluation = evaluate(BrightestPixel(), dataset, CPU)

    assert torch.equal(evaluation.confusion, torch.eye(10, dtype=torch.int64) * 70)


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_is_put_back(training: bool) -> None:
    model = BrightestPixel().train(training)

    evaluate(model, TensorDataset(images_of([3]), torch.tensor([3])), CPU)

    assert model.training is training


def test_no_gradient_is_kept() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))

    evaluate(model, TensorDataset(images_of([3]), torch.tensor([3])), CPU)

    assert all(parameter.grad is None for parameter in model.parameters())


def test_the_command_prints_what_the_model_does(checkpoint: Path) -> None:
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "digit_classifier.evaluate",
            "--checkpoint",
            str(checkpoint),
        ],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )

    assert result.returncode == 0, result.stderr
    assert "test accuracy " in result.stdout
    assert "precision" in result.stdout
    assert "confusion matrix" in result.stdout
    assert checkpoint.with_name("best_confusion.png").read_bytes().startswith(b"\x89PNG")


def test_the_result_is_printed_even_where_no_picture_can_be(
    checkpoint: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkpoint.with_name("best_confusion.png").mkdir()

    assert run_command(lambda: main(["--checkpoint", str(checkpoint)])) == 1

    printed = capsys.readouterr()
    assert "test accuracy " in printed.out
    assert "as a picture" not in printed.out
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1


def test_the_command_agrees_with_the_run(
    checkpoint: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["--checkpoint", str(checkpoint), "--device", "cpu"])

    printed = capsys.readouterr().out.partition("test accuracy ")[2].partition("%")[0]
    model = ModelConfig(channels=4, hidden_features=8)
    trainer = Trainer(TrainConfig(epochs=1, device="cpu", model=model))
    trainer.train_epoch(lambda: None)
    expected = evaluate(trainer.model, trainer.splits.test, CPU).accuracy
    assert printed == f"{100 * expected:.2f}"


def test_a_checkpoint_of_another_model_is_refused(
    checkpoint: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = load_state(Weights, checkpoint)
    config = dataclasses.replace(whole.config, model=ModelConfig(channels=5))
    save_state(dataclasses.replace(whole, config=config), checkpoint)

    assert run_command(lambda: main(["--checkpoint", str(checkpoint)])) == 2

    builder = "src/digit_classifier/classifier.py"
    complaint = f"error: {checkpoint} holds another model than {builder} builds now.\n"
    assert capsys.readouterr().err == complaint


def test_the_state_of_a_run_is_not_taken_for_weights(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    state = tmp_path / "state.pt"
    save_state(Trainer(TrainConfig(device="cpu")).checkpoint(), state)

    assert run_command(lambda: main(["--checkpoint", str(state)])) == 2

    complaint = f"error: {state} is the state of a run, to go on from; use its best.pt here.\n"
    assert capsys.readouterr().err == complaint


def test_a_missing_checkpoint_gets_one_sentence(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "missing.pt"

    assert run_command(lambda: main(["--checkpoint", str(path)])) == 2

    assert capsys.readouterr().err == f"error: Cannot read {path}: No such file or directory.\n"
