"""What can be set about a store's days and their model, in every form that settings can have."""

import dataclasses
from pathlib import Path
from typing import Literal


@dataclasses.dataclass(frozen=True)
class NoiseConfig:
    """How readings are disturbed in training."""

    scale: float = 0.1
    """Standard deviation of what is added."""

    numpy: bool = True
    """Whether numpy draws, rather than torch or Python in turn."""


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """The days that there are."""

    sizes: tuple[int, int, int] = (211, 45, 3)
    """Days in training, validation and test."""

    folder: Path | None = None
    """Where days could be read from."""

    noise: NoiseConfig = dataclasses.field(default_factory=NoiseConfig)


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The form of the model."""

    widths: tuple[int, ...] = (8, 6)
    """Widths of the hidden layers."""

    dropouts: list[float] = dataclasses.field(default_factory=lambda: [0.1, 0.2])
    """Dropout after each hidden layer."""

    activation: Literal["gelu", "tanh"] = "gelu"
    """What comes after a layer."""

    embedding: int | None = 4
    """Width of a store's embedding; None: the stores are not looked at."""

    heads: dict[str, float] = dataclasses.field(
        default_factory=lambda: {"sales": 1.0, "sold_out": 0.5}
    )
    """The outputs, and the bias that each begins with."""


DEFAULTS = {"epochs": 4, "batch_size": 24, "workers": 1, "optimizer": {"learning_rate": 0.01}}
