"""Pruning: weights that matter least become zero, and the rest is trained again without them.

They keep their shapes: smaller is only the file that is compressed, and faster only what makes use
of zeros, which torch's own layers do not.
"""

import dataclasses
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..checkpoint import Weights, save_state
from ..console import say
from ..errors import InputError
from ..trained import load_trained
from ..training import Trainer
from .masks import Masks
from .subject import Subject
from .target import Limits, Target, Written

FILE = "pruned.pt"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prune(Target):
    """Write a checkpoint with many weights at zero, for evaluation and every other export."""

    amount: float = 0.5
    """Share of the weights that become zero; biases, norms and embeddings keep all of theirs."""

    structured: bool = False
    """Take whole input channels of each layer, rather than the smallest weights of all layers."""

    epochs: int = 20
    """Epochs of training afterwards, with the settings of the run; 0: none."""

    max_accuracy_loss: float = 1.0
    """Percentage points of accuracy on the test images that it may lose."""

    def check(self) -> None:
        """Refuse an existing folder, and numbers that mean nothing."""
        super().check()
        if not 0 < self.amount < 1:
            raise InputError(f"--amount must be between 0 and 1; it is {self.amount}.")
        if self.epochs < 0:
            raise InputError(f"--epochs must be at least 0; it is {self.epochs}.")

    def write(self, subject: Subject, folder: Path, metadata: dict[str, Any]) -> Written:
        """Write ``pruned.pt``."""
        # How the run went about its training, but here, where one process has the whole model.
        trainer = Trainer(
            dataclasses.replace(
                subject.weights.config,
                epochs=max(1, self.epochs),
                device="auto",
                strategy="ddp",
                compile=False,
                activation_checkpointing=False,
            )
        )
        trainer.model.load_state_dict(subject.weights.model)
        masks = Masks.smallest(trainer.model, self.amount, structured=self.structured)
        pruned = _best_epoch(trainer, masks, subject.weights, self.epochs)
        save_state(pruned, folder / FILE)
        by_layer = masks.sparsity(pruned.model)
        facts = {
            "zeros": f"{by_layer.total:.1%} of what can be pruned",
            "epochs_until_the_best": pruned.epoch - subject.weights.epoch,
            "compressed_kilobytes": (
                f"{_compressed(subject.weights.model) / 1000:.0f} before, "
                f"{_compressed(pruned.model) / 1000:.0f} after"
            ),
            "sparsity": by_layer.of_parameters,
        }
        return Written(
            files=(FILE,),
            limits=Limits(accuracy_points=self.max_accuracy_loss),
            facts=facts,
        )


def load(folder: Path) -> Callable[[Tensor], Tensor]:
    """Return the pruned model, read as any other checkpoint."""
    return load_trained(folder / FILE).model


def _best_epoch(trainer: Trainer, masks: Masks, before: Weights, epochs: int) -> Weights:
    """Train with the masks on, and return the weights of the epoch with the lowest loss."""
    masks.apply()
    loss = trainer.validate().loss
    best = _weights(trainer, before, loss)
    say(f"pruned           validation loss {loss:.4f}, before {before.loss:.4f}")
    for epoch in range(1, epochs + 1):
        # An optimizer's step moves zeros, too; this takes that back.
        trainer.train_epoch(masks.apply)
        loss = trainer.validate().loss
        say(f"epoch {epoch:3d}/{epochs}    validation loss {loss:.4f}")
        if loss < best.loss:
            best = _weights(trainer, before, loss)
    return best


def _weights(trainer: Trainer, before: Weights, loss: float) -> Weights:
    """Return a checkpoint of the run that the weights come from, some epochs later."""
    state = trainer.strategy.weights(trainer.model)
    return Weights(
        config=before.config,
        epoch=before.epoch + trainer.epoch,
        loss=loss,
        model={name: tensor.detach().cpu().clone() for name, tensor in state.items()},
    )


def _compressed(state: dict[str, Tensor]) -> int:
    """Return how many bytes are left of the weights when they are compressed."""
    return sum(
        len(zlib.compress(tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes()))
        for tensor in state.values()
    )
