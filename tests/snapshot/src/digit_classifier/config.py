"""The settings of a run: typed, explained, and checked when they are made."""

import dataclasses
import math
from pathlib import Path
from typing import Literal

from .errors import InputError


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """How the images are split and fed."""

    batch_size: int = 64
    """Images in one step of the optimizer, over all processes and micro-steps."""

    validation_share: float = 0.15
    """Share of all images that chooses the best epoch."""

    test_share: float = 0.2
    """Share of all images that is kept for the final accuracy."""

    split_seed: int = 0
    """Seed of the split. Keep it while you compare runs: it decides which images are the test."""

    def __post_init__(self) -> None:
        """Refuse what cannot be used."""
        _require(self.batch_size >= 1, "data.batch_size", self.batch_size, "at least 1")
        for name in ("validation_share", "test_share"):
            share = getattr(self, name)
            _require(0.01 <= share <= 0.5, f"data.{name}", share, "between 0.01 and 0.5")
        rest = 1 - self.validation_share - self.test_share
        if rest < 0.1:
            raise InputError(
                "data.validation_share and data.test_share leave less than a tenth of the images "
                "for training: make one of them smaller."
            )
        _require_seed("data.split_seed", self.split_seed)


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The size of the model."""

    channels: int = 32
    """Width of the convolutions."""

    hidden_features: int = 64
    """Width of the layers after the convolutions."""

    dropout: float = 0.1
    """Probability of dropping a feature in training."""

    def __post_init__(self) -> None:
        """Refuse what cannot be built."""
        _require(self.channels >= 1, "model.channels", self.channels, "at least 1")
        hidden_features = self.hidden_features
        _require(hidden_features >= 1, "model.hidden_features", hidden_features, "at least 1")
        _require(0 <= self.dropout < 1, "model.dropout", self.dropout, "from 0 to below 1")


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """How AdamW changes the weights."""

    learning_rate: float = 1e-3
    """Learning rate after the warm-up."""

    weight_decay: float = 0.05
    """Decay of the weights; biases, norms, scales and embeddings have none."""

    warmup_share: float = 0.1
    """Share of all steps in which the learning rate rises; after them it falls as a cosine."""

    clip_norm: float = 1.0
    """Longest gradient, all weights together; a longer one is shortened to it. 0: no limit."""

    def __post_init__(self) -> None:
        """Refuse what cannot train."""
        rate, decay = self.learning_rate, self.weight_decay
        _require(0 < rate < math.inf, "optimizer.learning_rate", rate, "a number above 0")
        _require(0 <= decay < math.inf, "optimizer.weight_decay", decay, "a number from 0 on")
        share = self.warmup_share
        _require(0 <= share <= 1, "optimizer.warmup_share", share, "between 0 and 1")
        clip = self.clip_norm
        _require(0 <= clip < math.inf, "optimizer.clip_norm", clip, "a number from 0 on")


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """All settings of a training run."""

    epochs: int = 30
    """How often training sees every image."""

    seed: int = 0
    """Seed of the first weights, of the order of the images and of dropout."""

    device: str = "auto"
    """Where to compute: cpu, cuda, cuda:1, mps; auto takes the best that is there."""

    output: Path = Path("runs/digits")
    """Folder for checkpoints, metrics and plots."""

    strategy: Literal["ddp", "fsdp"] = "ddp"
    """What several processes do: each has the whole model (ddp), or a share of it (fsdp)."""

    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Type in which the model computes; weights, losses and evaluation stay float32."""

    accumulation: int = 1
    """Micro-steps that make one step of the optimizer: more of them need less memory."""

    compile: bool = False
    """Compile the training step: slow to start, faster afterwards; on a CPU it needs g++."""

    activation_checkpointing: bool = False
    """Compute parts of the model twice rather than keep what they computed: less memory."""

    checkpoint_every: int = 0
    """Steps between checkpoints; there is one after each epoch anyway, and 0 makes no others."""

    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)

    def __post_init__(self) -> None:
        """Refuse what cannot run."""
        _require(self.epochs >= 1, "epochs", self.epochs, "at least 1")
        # An empty text, from a shell variable that is not set, is the folder that one is in.
        _require(self.output != Path(), "output", "empty", "a folder of the run's own")
        _require_seed("seed", self.seed)
        _require(self.accumulation >= 1, "accumulation", self.accumulation, "at least 1")
        steps = self.checkpoint_every
        _require(steps >= 0, "checkpoint_every", steps, "at least 0")


def _require_seed(name: str, seed: int) -> None:
    # numpy takes seeds of 32 bits.
    _require(0 <= seed < 2**32, name, seed, "between 0 and 4294967295")


def _require(holds: bool, name: str, value: object, demand: str) -> None:
    if not holds:
        raise InputError(f"{name} must be {demand}; it is {value}.")
