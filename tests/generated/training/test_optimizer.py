"""Which parameters decay, how the learning rate changes, and optimizers chosen by a setting."""

from __future__ import annotations

import importlib
import math
from typing import Any

import pytest
import torch
from digits.command import InputError
from digits.training.config import OptimizerConfig
from digits.training.optimizer import build_optimizer, build_schedule, parameter_groups
from torch import Tensor, nn

from .running import PACKAGES
from .test_step import config_of


class Everything(nn.Module):
    """One of each sort of parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)
        self.conv = nn.Conv2d(1, 2, 3)
        self.norm = nn.LayerNorm((2, 4))
        self.batch_norm = nn.BatchNorm2d(2)
        self.embedding = nn.Embedding(5, 4)
        self.tied = nn.Linear(4, 5, bias=False)
        self.tied.weight = self.embedding.weight
        self.frozen = nn.Linear(4, 4).requires_grad_(False)
        self.map = nn.Parameter(torch.ones(3, 4))
        self.gain = nn.Parameter(torch.ones(1))
        self.head_scale = nn.Parameter(torch.ones(2, 1, 1))
        self.position_bias = nn.Parameter(torch.ones(2, 4))


def names_by_decay(module: nn.Module, weight_decay: float = 0.1) -> dict[float, set[str]]:
    """Return the names of the parameters in each group, by its decay."""
    names = {parameter: name for name, parameter in module.named_parameters()}
    return {
        group["weight_decay"]: {names[parameter] for parameter in group["params"]}
        for group in parameter_groups(module, weight_decay)
    }


def test_only_maps_decay() -> None:
    assert names_by_decay(Everything()) == {
        0.1: {"linear.weight", "conv.weight", "map"},
        0.0: {
            "linear.bias",
            "conv.bias",
            "norm.weight",
            "norm.bias",
            "batch_norm.weight",
            "batch_norm.bias",
            "embedding.weight",
            "gain",
            "head_scale",
            "position_bias",
        },
    }
    assert list(names_by_decay(nn.LayerNorm(3))) == [0.0]


@pytest.mark.parametrize(
    ("name", "decays"),
    [
        ("weight", True),
        ("qkv_weight", True),
        ("embedding_map", True),
        ("biased_map", True),
        ("bias_k", False),
        ("position_bias", False),
        ("token_embedding", False),
        ("positions", False),
        ("head_scale", False),
    ],
)
def test_the_name_of_a_table_decides(name: str, decays: bool) -> None:
    module = nn.Module()
    module.register_parameter(name, nn.Parameter(torch.ones(2, 3)))

    assert names_by_decay(module) == {0.1 if decays else 0.0: {name}}


def test_attention_of_torch_decays_in_its_maps_only() -> None:
    attention = nn.MultiheadAttention(4, 2, add_bias_kv=True)

    assert names_by_decay(attention)[0.1] == {"in_proj_weight", "out_proj.weight"}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_task_s_model_is_covered_once_and_whole(package: str) -> None:
    task = importlib.import_module(f"{package}.task.model")
    model = task.build_model(config_of(package).model)

    grouped = [each for group in parameter_groups(model, 0.1) for each in group["params"]]

    assert len(grouped) == len(set(grouped))
    assert set(grouped) == set(model.parameters())


def learning_rates(total_steps: int, **settings: Any) -> Tensor:
    """Return the learning rate of each step, as a fraction of the full one."""
    config = OptimizerConfig(learning_rate=1.0, **settings)
    optimizer = build_optimizer(nn.Linear(1, 1), config)
    schedule = build_schedule(optimizer, config, total_steps)
    rates = []
    for _ in range(total_steps):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    return torch.tensor(rates)


def square(progress: float) -> float:
    """Fall as a parabola: a course of one's own."""
    return (1 - progress) ** 2


@pytest.mark.parametrize(
    ("schedule", "course"),
    [
        ("cosine", lambda progress: 0.5 * (1 + math.cos(math.pi * progress))),
        ("linear", lambda progress: 1 - progress),
        ("constant", lambda _: 1.0),
        (f"{__name__}:square", square),
    ],
    ids=["cosine", "linear", "constant", "by its path"],
)
def test_the_learning_rate_rises_and_takes_its_course(schedule: str, course: Any) -> None:
    rates = learning_rates(20, schedule=schedule, warmup_ratio=0.2)

    torch.testing.assert_close(rates[:4], torch.tensor([0.25, 0.5, 0.75, 1.0]))
    torch.testing.assert_close(
        rates[4:], torch.tensor([course(step / 16) for step in range(16)], dtype=torch.float32)
    )


@pytest.mark.parametrize("warmup_ratio", [0.0, 1.0])
def test_a_schedule_may_have_one_part_only(warmup_ratio: float) -> None:
    rates = learning_rates(5, warmup_ratio=warmup_ratio)

    assert rates.max() == 1
    assert rates.min() > 0


@pytest.mark.parametrize(
    ("name", "options", "kind"),
    [
        ("adamw", {"amsgrad": True}, torch.optim.AdamW),
        ("adam", {"eps": 1e-6}, torch.optim.Adam),
        ("sgd", {"momentum": 0.9, "nesterov": True}, torch.optim.SGD),
        ("torch.optim:RAdam", {}, torch.optim.RAdam),
    ],
)
def test_an_optimizer_is_chosen_by_its_name(
    name: str,
    options: dict[str, Any],
    kind: type,
) -> None:
    config = OptimizerConfig(name=name, options=options, weight_decay=0.3)

    optimizer = build_optimizer(nn.Linear(2, 2), config)

    assert type(optimizer) is kind
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.3, 0.0]
    for group in optimizer.param_groups:
        assert {key: group[key] for key in options} == options


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"name": "adagrad"}, "optimizer.name must be adam, adamw, sgd, or a path"),
        ({"name": "torch.optim:Nothing"}, "optimizer.name names 'torch.optim:Nothing', which is"),
        ({"name": "no.such.module:A"}, "which is not there: No module named 'no'"),
        ({"name": ":AdamW"}, "optimizer.name names ':AdamW', which is not there"),
        ({"name": ".optim:AdamW"}, "optimizer.name names '.optim:AdamW', which is not there"),
        ({"name": "math:pi"}, "optimizer.name names 'math:pi', which cannot be called"),
        ({"name": "os:system"}, "names 'os:system', which is not an Optimizer"),
        ({"name": "torch.nn:Linear"}, "names 'torch.nn:Linear', which is not an Optimizer"),
        (
            {"name": "sgd", "options": {"momentun": 0.9}},
            "sgd cannot be built with",
        ),
        ({"name": "adamw", "options": {"eps": -1.0}}, "}: Invalid epsilon"),
        ({"schedule": "step"}, "optimizer.schedule must be constant, cosine, linear, or a path"),
        ({"schedule": "math:pi"}, "optimizer.schedule names 'math:pi', which cannot be called"),
    ],
)
def test_what_cannot_be_chosen_is_refused(settings: dict[str, Any], complaint: str) -> None:
    config = OptimizerConfig(**settings)

    with pytest.raises(InputError) as caught:
        build_schedule(build_optimizer(nn.Linear(1, 1), config), config, total_steps=3)

    assert complaint in str(caught.value)
    assert str(caught.value).count("\n") == 0
