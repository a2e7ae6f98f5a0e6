"""What a model gets right and wrong on labelled images."""

import dataclasses

import torch
from sklearn.metrics import classification_report
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import TensorDataset

from .data import CLASSES, evaluation_batches
from .distributed import ALONE, Processes


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The result on one set of images."""

    loss: float
    """Mean cross-entropy."""
    labels: Tensor
    """``(N,)``, the true classes."""
    predictions: Tensor
    """``(N,)``, the most likely classes."""

    @property
    def accuracy(self) -> float:
        """Share of the images that are right, from 0 to 1."""
        return (self.predictions == self.labels).double().mean().item()

    @property
    def confusion(self) -> Tensor:
        """Counts ``(true, predicted)``, both from 0 to the number of classes."""
        pairs = self.labels * CLASSES + self.predictions
        return torch.bincount(pairs, minlength=CLASSES * CLASSES).reshape(CLASSES, CLASSES)

    def report(self) -> str:
        """Return precision, recall and F1 of each class as a table."""
        table: str = classification_report(
            self.labels.numpy(),
            self.predictions.numpy(),
            digits=3,
            zero_division=0,
        )
        return table


@torch.no_grad()
def evaluate(
    model: nn.Module,
    dataset: TensorDataset,
    device: torch.device,
    processes: Processes = ALONE,
) -> Evaluation:
    """Run the model in evaluation mode over all images; its mode is put back afterwards.

    Several processes share the images, and each returns the result on all of them.
    """
    was_training = model.training
    model.eval()
    try:
        logits, labels = [], []
        for images, targets in evaluation_batches(dataset, processes):
            logits.append(model(images.to(device)).cpu())
            labels.append(targets)
    finally:
        model.train(was_training)
    shares = processes.gather((torch.cat(logits), torch.cat(labels)))
    # What filled up the last shares is dropped.
    all_logits, all_labels = (
        torch.cat(parts)[: len(dataset)] for parts in zip(*shares, strict=True)
    )
    return Evaluation(
        loss=functional.cross_entropy(all_logits, all_labels).item(),
        labels=all_labels,
        predictions=all_logits.argmax(dim=1),
    )
