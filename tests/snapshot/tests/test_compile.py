"""torch.compile by a setting: the same training, and names that do not show it."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from digit_classifier.config import DataConfig, ModelConfig, TrainConfig
from digit_classifier.metrics import read_metrics
from digit_classifier.training import Trainer

from tests.running import command, succeed
from tests.test_distributed import expect_close, plain

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("g++") is None and shutil.which("clang++") is None,
        reason="torch.compile needs a C++ compiler: g++ or clang++",
    ),
    # What torch's own compiler finds to say about torch.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]


def normalised(config: ModelConfig) -> nn.Module:
    """Build a model with running statistics."""
    width = config.hidden_features
    return nn.Sequential(
        # No bias: the norm takes it out again, and Adam makes steps of what rounding leaves.
        nn.Sequential(nn.Flatten(), nn.Linear(64, width, bias=False), nn.BatchNorm1d(width)),
        nn.GELU(),
        nn.Linear(width, 10),
    )


@pytest.mark.parametrize("activation_checkpointing", [False, True])
def test_compiled_training_is_the_same(
    monkeypatch: pytest.MonkeyPatch,
    activation_checkpointing: bool,
) -> None:
    monkeypatch.setattr("digit_classifier.training.build_classifier", normalised)

    def trained(**settings: Any) -> tuple[float, dict[str, torch.Tensor]]:
        data, model = DataConfig(batch_size=128), ModelConfig(hidden_features=8)
        trainer = Trainer(TrainConfig(device="cpu", data=data, model=model, **settings))
        return trainer.train_epoch(lambda: None), trainer.model.state_dict()

    loss, weights = trained()
    torch.compiler.reset()
    compiled = trained(compile=True, activation_checkpointing=activation_checkpointing)

    assert compiled[0] == pytest.approx(loss, rel=1e-4)
    torch.testing.assert_close(compiled[1], weights, rtol=1e-3, atol=1e-4)
    assert weights["0.2.num_batches_tracked"] == 9


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_compiled_processes_train_like_one(tmp_path: Path, strategy: str) -> None:
    one = plain(tmp_path, 1)

    expect_close(plain(tmp_path, 2, strategy=strategy, compile=True, accumulation=2), one)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_a_compiled_run_in_bfloat16_on_a_gpu(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    settings = ["--device=cuda", "--precision=bf16", "--compile", "--epochs=3"]

    succeed(command(1, *settings, "--output", folder))

    records = read_metrics(folder / "metrics.jsonl")
    assert records[-1]["validation_accuracy"] > 0.9
    assert records[-1]["peak_gpu_memory_mib"] > 0
