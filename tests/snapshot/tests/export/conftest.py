"""A trained checkpoint, and the command that exports it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from digit_classifier.checkpoint import Weights, save_state
from digit_classifier.config import ModelConfig, TrainConfig
from digit_classifier.export.__main__ import main
from digit_classifier.training import Trainer

RunExport = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a small model until it is good enough to be harmed by a bad export."""
    model = ModelConfig(channels=8, hidden_features=16, dropout=0)
    trainer = Trainer(TrainConfig(epochs=10, device="cpu", model=model))
    for _ in range(trainer.config.epochs):
        trainer.train_epoch(lambda: None)
    weights = Weights(trainer.config, epoch=10, loss=0.1, model=trainer.model.state_dict())
    path = tmp_path_factory.mktemp("run") / "best.pt"
    save_state(weights, path)
    return path


@pytest.fixture
def run_export(checkpoint: Path, tmp_path: Path) -> RunExport:
    """Return a function that exports the checkpoint into ``tmp_path / "out"``.

    It takes the command line without the two options that are the same in all tests, and returns
    what ``export.json`` says.
    """
    out = tmp_path / "out"

    def run(*arguments: str) -> dict[str, Any]:
        options = ("--checkpoint", str(checkpoint), "--out", str(out))
        main([*arguments, *options])
        report: dict[str, Any] = json.loads((out / "export.json").read_text(encoding="utf-8"))
        return report

    return run
