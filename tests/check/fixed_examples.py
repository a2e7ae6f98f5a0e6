"""How what `--fix` rewrites in the corpus is built and called, so that the result can be run.

The corpus has neither, for the checker only reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import FunctionType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

Arguments = dict[str, Any]


@dataclass(frozen=True)
class Example:
    """A class and how it is used.

    Attributes:
        arguments: Makes the constructor's arguments, by name.
        inputs: Makes those of `forward`, in their order.
        keys: The state dict's, where nothing but the fix lets it be built.
    """

    arguments: Callable[[], Arguments]
    inputs: Callable[[], tuple[Any, ...]]
    keys: str = ""


def rows() -> tuple[Tensor]:
    """Samples of four values."""
    return (torch.linspace(-1, 2, 12).reshape(3, 4),)


def sequences() -> tuple[Tensor]:
    """Samples of six steps of four values."""
    return (torch.linspace(-1, 2, 72).reshape(3, 6, 4),)


def of(*more: Any) -> Callable[[], tuple[Any, ...]]:
    """Samples of four values, and further arguments."""
    return lambda: (*rows(), *more)


def heads() -> tuple[Tensor, ...]:
    """Queries, keys and values."""
    return tuple(torch.linspace(-1, 2, 48).reshape(1, 2, 6, 4) for _ in range(3))


def nothing() -> Arguments:
    """No arguments."""
    return {}


def given(**arguments: Any) -> Callable[[], Arguments]:
    """The same arguments each time."""
    return lambda: dict(arguments)


def wide(**more: Any) -> Callable[[], Arguments]:
    """A width of four, and more."""
    return given(width=4, **more)


LINEAR = "linear.bias linear.weight"
# By the rule, and by the class in its own file or the bug report that has a file.
CLASSES: dict[str, Example] = {
    "NN101/NoCall": Example(wide(), rows, "weight"),
    "NN101/PlainValuesOnly": Example(given(factor=2.0), rows),
    "NN101/SkipsModule": Example(wide(), rows, LINEAR),
    "NN101/MixinAlone": Example(wide(), rows, LINEAR),
    "NN101/MixinInTheWay": Example(wide(), rows, LINEAR),
    "NN101/NotCalled": Example(wide(), rows, LINEAR),
    "NN101/Aliased": Example(wide(), rows, LINEAR),
    "NN101/BehindMixin": Example(wide(), rows, LINEAR),
    "NN102/EarlyModule": Example(wide(), rows, LINEAR),
    "NN102/EarlyParameter": Example(wide(), rows, "scale"),
    "NN102/EarlyBuffer": Example(wide(), rows, "mean"),
    "NN102/EarlyAddModule": Example(wide(), rows, LINEAR),
    "NN102/EarlyHelper": Example(wide(), rows, LINEAR),
    "NN102/EarlyArgument": Example(
        lambda: {"encoder": nn.Linear(4, 4), "width": 4},
        rows,
        "encoder.bias encoder.weight head.bias head.weight",
    ),
    "NN102/EarlyList": Example(wide(depth=1), rows, "layers.0.bias layers.0.weight"),
    "NN102/EarlyInBranch": Example(wide(normalise=True), rows, "norm.bias norm.weight"),
    "NN102/EarlyLocal": Example(wide(), rows, "scale"),
    "NN103/Comprehension": Example(wide(depth=2), rows),
    "NN103/AppendedOnSelf": Example(wide(depth=2), rows),
    "NN103/AppendedLocally": Example(wide(depth=2), rows),
    "NN103/TrailingComma": Example(nothing, lambda: (torch.ones(3, 1, 5),)),
    "NN103/OfDict": Example(wide(), rows),
    "NN103/ListOfModuleLists": Example(wide(depth=2), rows),
    "NN103/InHelper": Example(wide(depth=2), rows),
    "NN103/FromHelper": Example(wide(depth=2), rows),
    "NN103/OfOwnClass": Example(wide(), rows),
    "NN103/Concatenated": Example(given(sizes=[4, 6, 2]), lambda: (torch.ones(3, 8),)),
    "NN103/Augmented": Example(wide(depth=2), rows),
    "NN103/Queue": Example(wide(), rows),
    "NN103/HalfRegistered": Example(wide(depth=2), rows),
    "NN103/Arguments": Example(
        lambda: {"first": nn.Linear(4, 4), "others": [nn.Linear(4, 4), nn.Tanh()]}, rows
    ),
    "NN103/Copies": Example(lambda: {"layer": nn.Linear(4, 4), "depth": 2}, rows),
    "NN103/Extended": Example(wide(depth=2), rows),
    "NN103/FromFunction": Example(wide(depth=2), rows),
    "NN104/Comprehension": Example(wide(count=2), rows),
    "NN104/OfDict": Example(wide(), rows),
    "NN104/Appended": Example(wide(count=2), rows),
    "NN104/TupleOfTwo": Example(wide(), rows),
    "NN104/LocalList": Example(given(sizes=[4, 1]), rows),
    "NN107/Scaled": Example(wide(), rows),
    "NN107/Moved": Example(wide(device="meta"), lambda: (torch.ones(3, 4, device="meta"),)),
    "NN107/Halved": Example(wide(), lambda: (torch.tensor([[0, 3], [1, 2]]),)),
    "NN107/TypeChanged": Example(wide(), rows),
    "NN201/Plain": Example(wide(), rows),
    "NN201/ThroughLocal": Example(wide(length=6), sequences),
    "NN201/FromNumpy": Example(given(values=[1, 2, 3, 4]), rows),
    "NN201/InHelper": Example(wide(), rows),
    "NN201/Argument": Example(lambda: {"mean": torch.ones(4), "width": 4}, rows),
    "NN201/FromParameter": Example(wide(), rows),
    "NN201/BeforeSuper": Example(wide(), rows),
    "NN302/Arange": Example(nothing, rows),
    "NN302/Mask": Example(nothing, lambda: (torch.ones(2, 4, 4),)),
    "NN302/Aliased": Example(wide(), rows),
    "NN302/Filled": Example(nothing, rows),
    "NN302/IndexAndValue": Example(nothing, rows),
    "NN302/PositionalOnly": Example(wide(), rows),
    "NN402/NoFlag": Example(nothing, rows),
    "NN402/OwnRate": Example(given(p=0.5), rows),
    "NN402/Attention": Example(given(p=0.5), heads),
    "NN402/Aliased": Example(nothing, rows),
    "NN402/InHelper": Example(nothing, lambda: (torch.ones(2, 8, 3, 3),)),
    "NN402/OnAttention": Example(given(p=0.5), lambda: (torch.ones(2, 6, 6), torch.ones(2, 6, 4))),
    "NN402/OnlyInEval": Example(nothing, rows),
    "NN402/AfterTraining": Example(nothing, rows),
    "NN403/Wrapper": Example(wide(), rows),
    "NN403/InLoop": Example(wide(depth=2), rows),
    "NN403/ByIndex": Example(wide(), rows),
    "NN403/Argument": Example(lambda: {"encoder": nn.Linear(4, 4), "width": 4}, rows),
    "NN403/Grandchild": Example(wide(), rows),
    "NN201/audio_457": Example(given(hop_length=2, bins=6), lambda: (torch.ones(6, 3), 0.5)),
    "NN103/lightning_2623": Example(given(channels=4, classes=2), lambda: (torch.ones(3, 1, 9),)),
    "NN103/pytorch_1053": Example(wide(), lambda: (torch.ones(3, 4, 8),)),
    "NN107/pytorch_17484": Example(nothing, lambda: (torch.ones(3, 5, device="meta"),)),
    "NN107/pytorch_20089": Example(nothing, lambda: (torch.ones(3, 10, device="meta"),)),
    "NN103/pytorch_59925": Example(nothing, rows),
    "NN103/pytorch_666": Example(given(depth=2), lambda: (torch.ones(3, 1),)),
    "NN107/pytorch_94828": Example(nothing, lambda: (torch.ones(3, 10, device="meta"),)),
    "NN402/pytorch_99293": Example(wide(), lambda: (torch.ones(1, 4, 8, 4),)),
    "NN402/pytorch_fm_21": Example(
        wide(hidden=3, dropouts=(0.5, 0.5)), lambda: (torch.ones(3, 6, 4),)
    ),
    "NN103/pytorch_geometric_7478": Example(
        given(inputs=4, classes=2), lambda: (*rows(), torch.eye(3))
    ),
    "NN201/remembering_normality_7": Example(
        wide(length=5), lambda: (torch.ones(3, 4, device="meta"),)
    ),
    "NN302/tabnet_578": Example(wide(), rows),
    "NN402/torchtune_1791": Example(wide(dropout=0.5), sequences),
}


class Watched(nn.Module):
    """A linear layer that notes how it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.recorded: list[bool] = []
        self.hooks = 0
        self.register_forward_hook(Watched.count)

    def forward(self, x: Tensor) -> Tensor:
        self.recorded.append(torch.is_grad_enabled())
        return self.linear(x)

    def count(self, *_: Any) -> None:
        """A hook, which a direct call of `forward` skips."""
        self.hooks += 1


def pairs() -> list[tuple[Tensor, Tensor]]:
    """Two batches of inputs and targets."""
    return [(*rows(), torch.zeros(3, 4)) for _ in range(2)]


# Functions and methods that call a model: from their file and the model to what they return.
FUNCTIONS: dict[str, Callable[[ModuleType, nn.Module], object]] = {
    "NN403/evaluate": lambda file, model: file.evaluate(model, *rows()),
    "NN403/use_of_global": lambda file, model: with_global(file, model).use_of_global(*rows()),
    "NN403/Trainer": lambda file, model: with_net(file.Trainer(3, nn.Identity()), model).step(
        *rows()
    ),
    "NN406/evaluate": lambda file, model: file.evaluate(model, pairs()),
    "NN406/validation_loss": lambda file, model: file.validation_loss(
        model, *rows(), torch.zeros(3, 4)
    ),
    "NN406/Trainer.validate": lambda file, model: file.Trainer(model).validate(rows()),
    "NN406/run_inference": lambda file, model: file.run_inference(model, rows()[0]),
    "NN406/predict": lambda file, model: file.predict(model, *rows(), "cpu"),
    "NN406/Classifier.predict": lambda file, model: with_linear(
        file.Classifier(4, 4), model
    ).predict(*rows()),
    "NN406/evaluate_partly": lambda file, model: file.evaluate_partly(
        model, rows()[0], list(rows())
    ),
}


def with_global(file: ModuleType, model: nn.Module) -> Any:
    """The file, with a model for its own."""
    return SimpleNamespace(
        use_of_global=FunctionType(file.use_of_global.__code__, {**vars(file), "model": model})
    )


def with_net(trainer: Any, model: nn.Module) -> Any:
    """The trainer, with a model for its network."""
    trainer.net = model
    return trainer


def with_linear(classifier: nn.Module, model: nn.Module) -> Any:
    """The classifier, with a model as its layer."""
    classifier.linear = model
    return classifier
