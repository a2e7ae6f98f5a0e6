"""A step of the trainer is the step that anybody would write by hand, to the last bit."""

from __future__ import annotations

import importlib
import itertools
import math
import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from .equal_runs import SGD, trained
from .running import PACKAGES

STEPS = 5


def config_of(package: str, **values: Any) -> Any:
    """Return settings on the CPU with these values."""
    settings = importlib.import_module(f"{package}.training.settings")
    defaults = settings.config_to_values(settings.default_config())
    changed = defaults | {"device": "cpu", "workers": 0} | values
    return settings.config_from_values(changed, source="test")


def steps_by_hand(package: str, config: Any) -> dict[str, Tensor]:
    """Take steps as a tutorial would: AdamW, clipping, a warm-up and a cosine."""
    data, task, objective, sampling, randoms, optimizers = (
        importlib.import_module(f"{package}.{name}")
        for name in (
            "task.data",
            "task.model",
            "task.objective",
            "training.sampling",
            "training.random_state",
            "training.optimizer",
        )
    )
    random.seed(config.seed)
    np.random.seed(config.seed)
    torch.manual_seed(config.seed)
    splits = data.splits(config.data)
    model: nn.Module = task.build_model(config.model).train()
    settings = config.optimizer
    groups = optimizers.parameter_groups(model, settings.weight_decay)
    optimizer = torch.optim.AdamW(groups, lr=settings.learning_rate)
    samples = sampling.EpochSamples(splits, config.seed)
    generator = torch.Generator().manual_seed(randoms.derived_seed("order", config.seed, 0))
    order = torch.randperm(len(splits.train), generator=generator)
    in_an_epoch = len(splits.train) // config.batch_size
    total = config.epochs * in_an_epoch
    warmup = round(settings.warmup_ratio * total)
    for step in range(STEPS):
        rows = order[step * config.batch_size :][: config.batch_size].tolist()
        batch = splits.collate([samples[0, row] for row in rows])
        rate = settings.learning_rate
        if step < warmup:
            rate *= (step + 1) / warmup
        else:
            rate *= 0.5 * (1 + math.cos(math.pi * (step - warmup) / (total - warmup)))
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = objective.loss(model, batch)
        optimizer.zero_grad()
        (loss.sum / loss.count).backward()
        nn.utils.clip_grad_norm_(model.parameters(), settings.max_grad_norm)
        optimizer.step()
    return model.state_dict()


@pytest.mark.parametrize("package", PACKAGES)
def test_steps_are_those_of_plain_torch(package: str) -> None:
    trainers = importlib.import_module(f"{package}.training.trainer")
    # So short a run that the warm-up ends and the cosine begins within these steps.
    config = config_of(package, epochs=1, limit_batches=0, batch_size=24)

    trainer = trainers.Trainer(config)
    taken = list(itertools.islice(trainer.steps(), STEPS))

    assert taken == [1, 2, 3, 4, 5]
    weights = trainer.model.state_dict()
    for name, value in steps_by_hand(package, config).items():
        assert torch.equal(weights[name], value), name


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("max_grad_norm", [0.0, 0.05])
def test_micro_steps_add_up_to_the_step(package: str, max_grad_norm: float) -> None:
    optimizer = {**SGD, "max_grad_norm": max_grad_norm}
    whole = trained(package, {"optimizer": optimizer})

    parts = trained(package, {"optimizer": optimizer, "grad_accum_steps": 4})

    whole.expect_close(parts)


def test_samples_that_count_nothing_change_nothing() -> None:
    # Each step's days are all among those that have no term in the loss.
    trainers = importlib.import_module("fourth.training.trainer")
    optimizer = {**SGD, "weight_decay": 0.0}
    results = []
    for accumulated in (1, 2):
        config = config_of(
            "fourth", batch_size=2, grad_accum_steps=accumulated, optimizer=optimizer
        )
        trainer = trainers.Trainer(config)
        before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
        rows = iter([[(0, 0), (0, 5)]] if accumulated == 1 else [[(0, 0)], [(0, 5)]])
        batches = [
            trainer.splits.collate([trainer.loader.dataset[key] for key in keys]) for keys in rows
        ]
        trainer._take_step(batches)
        results.append((before, trainer.model.state_dict()))

    for before, after in results:
        for name, value in before.items():
            assert torch.equal(after[name], value), name


@pytest.mark.parametrize("micro_steps", [1, 2])
def test_a_count_may_be_a_sum_of_weights(
    micro_steps: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trainers = importlib.import_module("tabular.training.trainer")
    interface, objective = (
        importlib.import_module(f"tabular.{name}") for name in ("interface", "task.objective")
    )

    def weighted(model: nn.Module, batch: Any) -> Any:
        loss = objective.loss(model, batch)
        return interface.Loss(loss.sum / 64, torch.tensor(loss.count / 64), loss.outputs)

    model = {"hidden_features": 4, "dropout": 0.0}
    config = config_of("tabular", grad_accum_steps=micro_steps, model=model, optimizer=SGD)
    plain = trainers.Trainer(config)
    next(plain.steps())
    monkeypatch.setattr(trainers, "task_loss", weighted)
    trainer = trainers.Trainer(config)
    next(trainer.steps())

    torch.testing.assert_close(trainer.model.state_dict(), plain.model.state_dict())
    assert trainer.finish_epoch()[0] == pytest.approx(plain.finish_epoch()[0], rel=1e-4)


def test_a_step_may_be_followed_by_anything() -> None:
    trainers = importlib.import_module("fourth.training.trainer")
    config = config_of("fourth", workers=2)

    # Each makes its own random numbers anew, which dropout draws from.
    undisturbed = trainers.Trainer(config)
    list(undisturbed.steps())
    disturbed = trainers.Trainer(config)
    list(itertools.islice(disturbed.steps(), 3))  # leaves the loop in mid-epoch
    steps = disturbed.steps()
    next(steps)
    disturbed.validate()
    disturbed.model.train()
    list(steps)

    assert undisturbed.step == disturbed.step == 8
    weights = disturbed.model.state_dict()
    for name, value in undisturbed.model.state_dict().items():
        assert torch.equal(weights[name], value), name
    assert undisturbed.finish_epoch()[0] == disturbed.finish_epoch()[0]
