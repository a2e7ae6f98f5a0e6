"""The settings of a run: typed, explained, and checked when they are made."""

import dataclasses
import math
from pathlib import Path

from .errors import InputError


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """How the images are split and fed."""

    batch_size: int = 64
    """Images in one training step."""

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

    def __post_init__(self) -> None:
        """Refuse what cannot train."""
        rate, decay = self.learning_rate, self.weight_decay
        _require(0 < rate < math.inf, "optimizer.learning_rate", rate, "a number above 0")
        _require(0 <= decay < math.inf, "optimizer.weight_decay", decay, "a number from 0 on")
        share = self.warmup_share
        _require(0 <= share <= 1, "optimizer.warmup_share", share, "between 0 and 1")


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

    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)

    def __post_init__(self) -> None:
        """Refuse what cannot run."""
        _require(self.epochs >= 1, "epochs", self.epochs, "at least 1")
        _require_seed("seed", self.seed)


def _require_seed(name: str, seed: int) -> None:
    # numpy takes seeds of 32 bits.
    _require(0 <= seed < 2**32, name, seed, "between 0 and 4294967295")


def _require(holds: bool, name: str, value: object, demand: str) -> None:
    if not holds:
        raise InputError(f"{name} must be {demand}; it is {value}.")
