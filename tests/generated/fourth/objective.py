"""A loss of its own: a sum of two parts over the days whose sales are known."""

from typing import Any, Self

from torch import nn
from torch.nn import functional

from ..interface import Batch, Loss, Primary
from .data import inputs

PRIMARY = Primary("error", "min", tolerance=0.05)


def loss(model: nn.Module, batch: Batch) -> Loss:
    """Return both parts, summed over the days that count."""
    outputs = model(**inputs(batch))
    sales, sold_out, known = batch["y"]
    parts = functional.smooth_l1_loss(outputs["sales"], sales, reduction="none")
    parts = parts + 0.5 * functional.binary_cross_entropy_with_logits(
        outputs["sold_out"], sold_out, reduction="none"
    )
    return Loss(sum=(parts * known).sum(), count=known.sum(), outputs=outputs)


class Metrics:
    """The absolute error of the sales, and how often "sold out" is right."""

    def __init__(self) -> None:
        self.count = 0
        self.error = 0.0
        self.right = 0

    def update(self, outputs: Any, batch: Batch) -> None:
        """Count a batch."""
        sales, sold_out, known = (each.cpu() for each in batch["y"])
        self.count += int(known.sum())
        self.error += ((outputs["sales"].cpu().double() - sales).abs() * known).sum().item()
        right = (outputs["sold_out"].cpu() > 0) == sold_out.bool()
        self.right += int((right & known).sum())

    def merge(self, other: Self) -> None:
        """Count in what another process has counted."""
        self.count += other.count
        self.error += other.error
        self.right += other.right

    def compute(self) -> dict[str, float]:
        """Return both figures."""
        if not self.count:
            return {"error": float("nan"), "sold_out": float("nan")}
        return {"error": self.error / self.count, "sold_out": self.right / self.count}
