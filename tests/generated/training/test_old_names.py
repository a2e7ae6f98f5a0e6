"""What version 0.3 of the template wrote still loads, under the names of today."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from digits.checkpoints.state import Weights, load_state, load_trained
from digits.command import InputError
from digits.task.model import build_model
from digits.training import old_names
from digits.training.settings import (
    config_from_values,
    config_to_values,
    default_config,
    read_config,
)

OLD = {
    "epochs": 3,
    "output": "runs/old",
    "accumulation": 2,
    "strategy": "ddp",
    "data": {"batch_size": 32, "validation_share": 0.1, "test_share": 0.3, "split_seed": 1},
    "optimizer": {"clip_norm": 0.5, "warmup_share": 0.2},
}


def expect_old(config: Any) -> None:
    """Check that what has another name now has its value."""
    assert (config.epochs, config.output_dir, config.grad_accum_steps) == (3, Path("runs/old"), 2)
    assert config.batch_size == 32
    data, optimizer = config.data, config.optimizer
    assert (data.val_fraction, data.test_fraction, data.split_seed) == (0.1, 0.3, 1)
    assert (optimizer.max_grad_norm, optimizer.warmup_ratio) == (0.5, 0.2)


def test_a_task_may_use_a_name_that_another_setting_once_had(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(old_names.OLD_NAMES, "epochs", "batch_size")

    config = config_from_values({"epochs": 3, "batch_size": 8}, source="test")

    assert (config.epochs, config.batch_size) == (3, 8)


def test_a_file_of_version_0_3_still_loads(tmp_path: Path) -> None:
    path = tmp_path / "old.toml"
    path.write_text(
        'epochs = 3\noutput = "runs/old"\naccumulation = 2\nstrategy = "ddp"\n'
        "[data]\nbatch_size = 32\nvalidation_share = 0.1\ntest_share = 0.3\nsplit_seed = 1\n"
        "[optimizer]\nclip_norm = 0.5\nwarmup_share = 0.2\n",
        encoding="utf-8",
    )

    expect_old(read_config(path))


def test_weights_of_version_0_3_still_load(tmp_path: Path) -> None:
    path = tmp_path / "best.pt"
    model = build_model(default_config().model).state_dict()
    values = {"format": 2, "config": OLD, "epoch": 2, "loss": 0.25, "model": model}
    torch.save(values, path)

    trained = load_trained(path)

    expect_old(trained.weights.config)
    assert (trained.weights.epoch, trained.weights.metrics) == (2, {"loss": 0.25})
    assert not trained.model.training
    # Written again, it has the new form.
    assert config_from_values(config_to_values(trained.weights.config), "test")
    torch.save(values | {"format": 1}, path)
    with pytest.raises(InputError, match="not a checkpoint of this version"):
        load_state(Weights, path)
