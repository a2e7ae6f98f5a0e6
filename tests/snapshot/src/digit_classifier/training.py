"""A run's state, and what a step and an epoch of training do to it."""

import itertools
import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from .checkpoint import Checkpoint
from .classifier import build_classifier
from .config import TrainConfig
from .data import load_splits, training_batches
from .device import choose_device
from .distributed import ALONE, Processes, launch_name
from .evaluation import Evaluation, evaluate
from .optimizer import build_optimizer, build_schedule, restore_schedule
from .precision import autocast, build_scaler
from .random_state import derived_seed, random_state, restore_random_state, seed_everything
from .sampling import SharedBatches
from .strategy import choose_strategy


class Trainer:
    """A model, its data, its optimizer, and how far training is.

    Two trainers of the same settings take the same steps, and so does one that is restored from
    another's checkpoint: bit for bit on a CPU with as many threads, in one process or two. More of
    them add up their gradients in another order after a resume, and differ in the last bits.

    Args:
        config: all settings of the run
        processes: those that train together; each makes a trainer and calls the same methods
    """

    def __init__(self, config: TrainConfig, processes: Processes = ALONE) -> None:
        seed_everything(config.seed)
        self.config = config
        self.processes = processes
        self.device = processes.together(lambda: choose_device(config.device, processes))
        self.strategy = choose_strategy(config, processes, self.device)
        self.splits = load_splits(config.data)
        self.sampler = SharedBatches(
            len(self.splits.train),
            batch_size=config.data.batch_size,
            accumulation=config.accumulation,
            seed=config.seed,
            rank=processes.rank,
            world_size=processes.world_size,
        )
        self.loader_seed = torch.Generator()
        self.batches = training_batches(
            self.splits.train, self.sampler, self.device, self.loader_seed
        )
        self.model: nn.Module = self.strategy.prepare(build_classifier(config.model))
        self.network = self.strategy.wrap(self.model)
        self.parameters = list(self.model.parameters())
        self.optimizer = build_optimizer(self.model, config.optimizer)
        self.schedule = build_schedule(self.optimizer, config.optimizer, self.total_steps)
        self.scaler = build_scaler(config, self.device)
        self.epoch = 0
        self.epoch_step = 0
        self.step = 0
        self.best_loss = math.inf
        self.epoch_seconds = 0.0
        # The sum stays on the device: asking for its value would wait for each step to finish.
        self.loss_sum = torch.zeros((), device=self.device)
        if processes.rank > 0:
            # The same first weights everywhere, but not the same dropout.
            seed_everything(derived_seed(config.seed, processes.rank))

    @property
    def total_steps(self) -> int:
        """Optimizer steps of the whole run."""
        return self.config.epochs * self.sampler.steps

    @property
    def epoch_images(self) -> int:
        """Images that an epoch trains on, over all processes."""
        return self.sampler.steps * self.config.data.batch_size

    def train_epoch(self, after_step: Callable[[], object]) -> float:
        """Train to the end of this epoch, from wherever it stands; return its mean loss."""
        self.network.train()
        self.sampler.start(self.epoch, self.epoch_step)
        # Workers, where there are any, draw other numbers in each epoch and process.
        self.loader_seed.manual_seed(
            derived_seed(self.config.seed, self.epoch, self.processes.rank)
        )
        micro_batches = iter(self.batches)
        started = time.perf_counter() - self.epoch_seconds
        while step := list(itertools.islice(micro_batches, self.config.accumulation)):
            self._take_step(step)
            self.epoch_seconds = time.perf_counter() - started
            after_step()
        loss = self.processes.sum(self.loss_sum.item()) / self.sampler.steps
        # Only here has a GPU finished its work.
        self.epoch_seconds = time.perf_counter() - started
        self.epoch += 1
        self.epoch_step = 0
        self.loss_sum.zero_()
        return loss

    def _take_step(self, micro_batches: list[tuple[Tensor, ...]]) -> None:
        """Change the weights once, by the gradient over all micro-batches of all processes."""
        self.optimizer.zero_grad()
        for number, (images, labels) in enumerate(micro_batches, start=1):
            with self.strategy.micro_step(last=number == len(micro_batches)):
                self._accumulate(images, labels)
        if clip_norm := self.config.optimizer.clip_norm:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.parameters, clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.step()
        if self.processes.world_size > 1:
            # A module may have put new tensors in their place: they are looked up each time.
            self.processes.broadcast(list(self.model.buffers()))
        self.epoch_step += 1
        self.step += 1

    def _accumulate(self, images: Tensor, labels: Tensor) -> None:
        """Add this micro-batch's gradient, and its share in the step's mean loss."""
        images = images.to(self.device, non_blocking=True)
        labels = labels.to(self.device, non_blocking=True)
        with autocast(self.config, self.device):
            loss = functional.cross_entropy(self.network(images), labels)
        # Averaging over processes comes with the gradients; the mean loss is summed at the end.
        loss = loss / self.config.accumulation
        self.scaler.scale(loss).backward()
        self.loss_sum += loss.detach() / self.processes.world_size

    def validate(self) -> Evaluation:
        """Evaluate on the validation images."""
        return evaluate(self.model, self.splits.validation, self.device, self.processes)

    def checkpoint(self) -> Checkpoint:
        """Return the state that ``restore`` takes up; what is sharded is kept by the strategy."""
        model, optimizer = self.strategy.state(self.model, self.optimizer)
        own = {"random": random_state(self.device), "loss_sum": self.loss_sum.item()}
        return Checkpoint(
            config=self.config,
            epoch=self.epoch,
            epoch_step=self.epoch_step,
            step=self.step,
            best_loss=self.best_loss,
            epoch_seconds=self.epoch_seconds,
            model=model,
            optimizer=optimizer,
            schedule=self.schedule.state_dict(),
            scaler=self.scaler.state_dict(),
            ranks=self.processes.gather(own),
            launches=sorted(set(self.processes.gather(launch_name()))),
        )

    def restore(self, checkpoint: Checkpoint, folder: Path) -> None:
        """Go on from a checkpoint of a run with these settings; the folder may hold shares of it.

        With another number of processes than before the run goes on well, but not bit for bit.
        """
        state = (checkpoint.model, checkpoint.optimizer)
        self.strategy.restore(folder, state, self.model, self.optimizer)
        restore_schedule(self.schedule, checkpoint.schedule)
        self.scaler.load_state_dict(checkpoint.scaler)
        self.epoch = checkpoint.epoch
        self.epoch_step = checkpoint.epoch_step
        self.step = checkpoint.step
        self.best_loss = checkpoint.best_loss
        self.epoch_seconds = checkpoint.epoch_seconds
        self._restore_own(checkpoint)

    def _restore_own(self, checkpoint: Checkpoint) -> None:
        ranks, rank = checkpoint.ranks, self.processes.rank
        if len(ranks) == self.processes.world_size:
            self.loss_sum.fill_(ranks[rank]["loss_sum"])
            restore_random_state(ranks[rank]["random"], self.device)
            return
        total = sum(own["loss_sum"] for own in ranks)
        self.loss_sum.fill_(total / self.processes.world_size)
        if rank < len(ranks):
            restore_random_state(ranks[rank]["random"], self.device)
        else:
            seed_everything(derived_seed(self.config.seed, rank, self.step))
