"""Which parameters decay, and how the learning rate goes."""

import pytest
import torch
from torch import Tensor, nn

from digit_classifier.classifier import build_classifier
from digit_classifier.config import ModelConfig, OptimizerConfig
from digit_classifier.optimizer import (
    build_optimizer,
    build_schedule,
    parameter_groups,
)


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


def names_by_decay(module: nn.Module, weight_decay: float) -> dict[float, set[str]]:
    """Return the names of the parameters in each group, by its decay."""
    names = {parameter: name for name, parameter in module.named_parameters()}
    return {
        group["weight_decay"]: {names[parameter] for parameter in group["params"]}
        for group in parameter_groups(module, weight_decay)
    }


def test_only_maps_decay() -> None:
    assert names_by_decay(Everything(), weight_decay=0.1) == {
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


@pytest.mark.parametrize(
    ("name", "decays"),
    [
        ("weight", True),
        ("qkv_weight", True),
        ("embedding_map", True),
        ("biased_map", True),
        ("bias_k", False),
        ("position_bias", False),
        ("embedding", False),
        ("token_embedding", False),
        ("position_embedding", False),
        ("token_embeddings", False),
        ("positions", False),
        ("head_scale", False),
    ],
)
def test_the_name_of_a_table_decides(name: str, decays: bool) -> None:
    module = nn.Module()
    module.register_parameter(name, nn.Parameter(torch.ones(2, 3)))

    assert names_by_decay(module, weight_decay=0.1) == {0.1 if decays else 0.0: {name}}


def test_attention_of_torch_decays_in_its_maps_only() -> None:
    attention = nn.MultiheadAttention(4, 2, add_bias_kv=True)

    decayed = names_by_decay(attention, weight_decay=0.1)[0.1]

    assert decayed == {"in_proj_weight", "out_proj.weight"}


def test_the_classifier_is_covered_once_and_whole() -> None:
    model = build_classifier(ModelConfig())

    groups = parameter_groups(model, weight_decay=0.1)

    grouped = [parameter for group in groups for parameter in group["params"]]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) == set(model.parameters())
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]


def test_a_module_without_maps_has_one_group() -> None:
    assert list(names_by_decay(nn.LayerNorm(3), weight_decay=0.1)) == [0.0]


def test_decay_moves_weights_but_not_biases() -> None:
    linear = nn.Linear(3, 3)
    before = {name: value.clone() for name, value in linear.state_dict().items()}
    optimizer = build_optimizer(linear, OptimizerConfig(learning_rate=0.1, weight_decay=0.5))

    for parameter in linear.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()

    torch.testing.assert_close(linear.weight, before["weight"] * (1 - 0.1 * 0.5))
    assert torch.equal(linear.bias, before["bias"])


def learning_rates(warmup_share: float, total_steps: int) -> Tensor:
    """Return the learning rate of each step, as a share of the full one."""
    config = OptimizerConfig(learning_rate=1.0, warmup_share=warmup_share)
    optimizer = build_optimizer(nn.Linear(1, 1), config)
    schedule = build_schedule(optimizer, config, total_steps)
    rates = []
    for _ in range(total_steps):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    return torch.tensor(rates)


def test_the_learning_rate_rises_and_falls() -> None:
    rates = learning_rates(warmup_share=0.2, total_steps=20)

    torch.testing.assert_close(rates[:4], torch.tensor([0.25, 0.5, 0.75, 1.0]))
    assert rates[4] == 1
    assert (rates[4:].diff() < 0).all()
    assert 0 < rates[-1] < 0.02


@pytest.mark.parametrize("warmup_share", [0.0, 1.0])
def test_a_schedule_may_have_one_part_only(warmup_share: float) -> None:
    rates = learning_rates(warmup_share, total_steps=5)

    assert rates.max() == 1
    assert rates.min() > 0
