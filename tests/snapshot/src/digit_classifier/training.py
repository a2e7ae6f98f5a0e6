"""A run of training: its state, one epoch of it, and all of them."""

import math
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from .checkpoint import Checkpoint, load_checkpoint, same_model_expected, save_checkpoint
from .classifier import build_classifier
from .config import TrainConfig
from .data import load_splits, shuffled_batches
from .device import choose_device
from .errors import InputError
from .evaluation import Evaluation, evaluate
from .metrics import MetricsLog
from .optimizer import build_optimizer, build_schedule, restore_schedule
from .random_state import random_state, restore_random_state, seed_everything


class Trainer:
    """A model, its data, its optimizer, and how far training is.

    Two trainers of the same settings take the same steps, and so does one that is restored from
    another's checkpoint: bit for bit on a CPU with as many threads.

    Args:
        config: all settings of the run
    """

    def __init__(self, config: TrainConfig) -> None:
        seed_everything(config.seed)
        self.config = config
        self.device = choose_device(config.device)
        self.splits = load_splits(config.data)
        self.order = torch.Generator().manual_seed(config.seed)
        self.batches = shuffled_batches(self.splits.train, config.data.batch_size, self.order)
        self.model = build_classifier(config.model).to(self.device)
        self.optimizer = build_optimizer(self.model, config.optimizer)
        self.schedule = build_schedule(self.optimizer, config.optimizer, self.total_steps)
        self.epoch = 0
        self.step = 0
        self.best_loss = math.inf

    @property
    def total_steps(self) -> int:
        """Optimizer steps of the whole run."""
        return self.config.epochs * len(self.batches)

    def train_epoch(self, after_step: Callable[[], object]) -> float:
        """Train on every image once; return the mean loss."""
        self.model.train()
        # The sum stays on the device: asking for its value would wait for each step to finish.
        total = torch.zeros((), device=self.device)
        for images, labels in self.batches:
            loss = self._take_step(images.to(self.device), labels.to(self.device))
            total += loss * len(labels)
            after_step()
        self.epoch += 1
        return total.item() / len(self.splits.train)

    def _take_step(self, images: Tensor, labels: Tensor) -> Tensor:
        loss = functional.cross_entropy(self.model(images), labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        self.step += 1
        return loss.detach()

    def validate(self) -> Evaluation:
        """Evaluate on the validation images."""
        return evaluate(self.model, self.splits.validation, self.device)

    def checkpoint(self) -> Checkpoint:
        """Return the state that ``restore`` takes up."""
        return Checkpoint(
            config=self.config,
            epoch=self.epoch,
            step=self.step,
            best_loss=self.best_loss,
            model=self.model.state_dict(),
            optimizer=self.optimizer.state_dict(),
            schedule=self.schedule.state_dict(),
            random=random_state(),
            order=self.order.get_state(),
        )

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint of a run with these settings."""
        self.model.load_state_dict(checkpoint.model)
        self.optimizer.load_state_dict(checkpoint.optimizer)
        restore_schedule(self.schedule, checkpoint.schedule)
        self.epoch = checkpoint.epoch
        self.step = checkpoint.step
        self.best_loss = checkpoint.best_loss
        self.order.set_state(checkpoint.order)
        restore_random_state(checkpoint.random)


def run(trainer: Trainer) -> Evaluation:
    """Train to the last epoch, keep ``last.pt`` and ``best.pt``, and test the best epoch."""
    config, folder = trainer.config, trainer.config.output
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"Cannot make the folder {folder}: {error.strerror}.") from error
    # Even a run that is stopped in its first epoch can be resumed.
    save_checkpoint(trainer.checkpoint(), folder / "last.pt")
    with (
        MetricsLog(folder, epochs_done=trainer.epoch) as log,
        # disable=None: no bar where nobody watches, as in a file or a CI log.
        tqdm(total=trainer.total_steps, initial=trainer.step, unit=" steps", disable=None) as bar,
    ):
        while trainer.epoch < config.epochs:
            _run_epoch(trainer, log, bar.update)
    best = load_checkpoint(folder / "best.pt")
    with same_model_expected(folder / "best.pt"):
        trainer.model.load_state_dict(best.model)
    return evaluate(trainer.model, trainer.splits.test, trainer.device)


def _run_epoch(trainer: Trainer, log: MetricsLog, after_step: Callable[[], object]) -> None:
    """Train and validate once, tell the figures, and keep the state."""
    folder, started = trainer.config.output, time.perf_counter()
    learning_rate = trainer.optimizer.param_groups[0]["lr"]
    train_loss = trainer.train_epoch(after_step)
    validation = trainer.validate()
    if not (math.isfinite(train_loss) and math.isfinite(validation.loss)):
        raise InputError(
            f"The loss is no longer finite after epoch {trainer.epoch}: try again with a smaller "
            f"--optimizer.learning-rate."
        )
    record = {
        "epoch": trainer.epoch,
        "step": trainer.step,
        "learning_rate": learning_rate,
        "train_loss": train_loss,
        "validation_loss": validation.loss,
        "validation_accuracy": validation.accuracy,
        "seconds": round(time.perf_counter() - started, 3),
    }
    log.log(record)
    # Above the bar, where there is one.
    tqdm.write(
        f"epoch {trainer.epoch:3d}/{trainer.config.epochs}  train loss {train_loss:.4f}  "
        f"validation loss {validation.loss:.4f}, accuracy {validation.accuracy:.1%}"
    )
    improved = validation.loss < trainer.best_loss
    trainer.best_loss = min(trainer.best_loss, validation.loss)
    # `last.pt` comes last: if the program stops before it, the epoch is done again, the same.
    if improved:
        save_checkpoint(trainer.checkpoint(), folder / "best.pt")
    save_checkpoint(trainer.checkpoint(), folder / "last.pt")
