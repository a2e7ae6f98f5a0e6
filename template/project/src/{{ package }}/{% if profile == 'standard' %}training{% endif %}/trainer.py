"""The state of a training run, and what a step of the optimizer does to it."""

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, distributed, nn
from torch.distributed.tensor import DTensor
from torch.utils.data import Dataset, Subset

from ..checkpoints.state import Checkpoint, same_model_expected
from ..command import InputError
from ..distributed.processes import SINGLE, Processes, launch_name
from ..distributed.wrap import ParallelModel
from ..interface import Batch, Samples, Splits
from ..task.model import build_model
from ..task.objective import loss as task_loss
from .config import TrainConfig
from .device import autocast, build_scaler, choose_device
from .evaluation import Evaluation, evaluate, to_device
from .optimizer import build_optimizer, build_schedule, rates_at, restore_schedule
from .random_state import derived_seed, random_state, restore_random_state, seed_everything
from .sampling import ShardedBatches, load_splits, read, training_loader
from .settings import suitable_settings_expected
from .warm_start import load_matching


class Trainer:
    """A model, its data, its optimizer, and how far training is.

    Two trainers of the same settings take the same steps, and so does one that is restored from
    another's checkpoint: bit for bit on a CPU with as many threads, in one process or two. More of
    them add up their gradients in another order after a resume, and differ in the last bits.

    Args:
        config: all settings of the run
        processes: those that train together; each makes a trainer and calls the same methods
        fresh: whether to start from the weights that the settings name (``init_from``), which a
            trainer to be restored does not need
    """

    def __init__(
        self,
        config: TrainConfig,
        processes: Processes = SINGLE,
        *,
        fresh: bool = True,
    ) -> None:
        seed_everything(config.seed)
        self.config = config
        self.processes = processes
        self.device = processes.run_on_all(lambda: choose_device(config.device, processes))
        self.splits = _splits(config)
        # Again: what a task imports to load its data may draw numbers, the first time only.
        seed_everything(config.seed)
        self.sampler = ShardedBatches(
            len(self.splits.train),
            config,
            rank=processes.rank,
            world_size=processes.world_size,
        )
        self.loader = training_loader(self.splits, self.sampler, self.device)
        with suitable_settings_expected("task/model.py"):
            model = build_model(config.model)
        source = config.init_from if fresh else None
        self.matched = load_matching(model, source, processes)
        self.parallel = ParallelModel(model, config, processes, self.device)
        self.model = self.parallel.model
        self.parameters = list(self.model.parameters())
        self.optimizer = build_optimizer(self.model, config.optimizer)
        self.schedule = build_schedule(self.optimizer, config.optimizer, self.total_steps)
        self.scaler = build_scaler(config, self.device)
        self.epoch = 0
        """Epochs that are done."""
        self.epoch_step = 0
        """Steps that are done in the epoch after them."""
        self.step = 0
        """Steps that are done in the whole run."""
        self.best: list[tuple[float, int]] = []
        """The best epochs so far, best first: the primary metric, and the number of the epoch."""
        self.epoch_seconds = 0.0
        # Sum and count of the loss in this epoch, and how much of them has been logged. They stay
        # on the device: asking for a value would wait for each step to finish.
        precise = torch.float32 if self.device.type == "mps" else torch.float64
        self.totals = torch.zeros(2, dtype=precise, device=self.device)
        self.logged = torch.zeros_like(self.totals)
        if processes.rank > 0:
            # The same first weights everywhere, but not the same dropout.
            seed_everything(derived_seed("rank", config.seed, processes.rank))

    @property
    def total_steps(self) -> int:
        """Optimizer steps of the whole run."""
        return self.config.epochs * self.sampler.steps

    @property
    def learning_rate(self) -> float:
        """Learning rate of the latest step."""
        return float(rates_at(self.schedule, max(self.step - 1, 0))[0])

    def steps(self) -> Iterator[int]:
        """Take the remaining steps of this epoch, and yield the number of each when it is done.

        Between two steps the caller may do anything: log, save, evaluate, or leave. The next call
        continues where this one was left.
        """
        self.parallel.network.train()
        self.sampler.start(self.epoch, self.epoch_step)
        micro_batches = read(self.loader)
        started = time.perf_counter()
        while step := list(itertools.islice(micro_batches, self.config.grad_accum_steps)):
            self._take_step(step)
            self.epoch_step += 1
            self.step += 1
            self.epoch_seconds += time.perf_counter() - started
            yield self.step
            started = time.perf_counter()

    def finish_epoch(self) -> tuple[float, float]:
        """Count this epoch as done; return its mean loss, and its training time in seconds."""
        started = time.perf_counter()
        mean = self._mean(self.totals)
        # Only here has a GPU finished its work.
        seconds = self.epoch_seconds + time.perf_counter() - started
        self.epoch += 1
        self.epoch_step = 0
        self.epoch_seconds = 0.0
        self.totals.zero_()
        self.logged.zero_()
        # The slowest process counts.
        return mean, max(self.processes.gather(seconds))

    def recent_loss(self) -> float:
        """Return the mean loss since this was last asked, or since the epoch began."""
        mean = self._mean(self.totals - self.logged)
        self.logged.copy_(self.totals)
        return mean

    def validate(self) -> Evaluation:
        """Evaluate on the validation samples."""
        return self._evaluate(self.splits.validation)

    def test(self) -> Evaluation:
        """Evaluate on the test samples."""
        return self._evaluate(self.splits.test)

    def checkpoint(self) -> Checkpoint:
        """Return the state that ``restore`` takes; what is in it, rank zero has."""
        own = {
            "random": random_state(self.device),
            "totals": self.totals.tolist(),
            "logged": self.logged.tolist(),
        }
        return Checkpoint(
            config=self.config,
            epoch=self.epoch,
            epoch_step=self.epoch_step,
            step=self.step,
            best=self.best,
            epoch_seconds=self.epoch_seconds,
            model=self.parallel.weights(),
            optimizer=self.parallel.optimizer_state(self.optimizer),
            schedule=self.schedule.state_dict(),
            scaler=self.scaler.state_dict(),
            ranks=self.processes.gather(own),
            launches=sorted(set(self.processes.gather(launch_name()))),
        )

    def restore(self, checkpoint: Checkpoint, path: Path) -> None:
        """Continue from a checkpoint of a run with these settings, which was read from ``path``.

        With another number of processes than before the run continues well, but not bit for bit.
        """
        with same_model_expected(path):
            self.parallel.load_weights(checkpoint.model)
            self.parallel.load_optimizer_state(self.optimizer, checkpoint.optimizer)
        restore_schedule(self.schedule, checkpoint.schedule)
        self.scaler.load_state_dict(checkpoint.scaler)
        self.epoch = checkpoint.epoch
        self.epoch_step = checkpoint.epoch_step
        self.step = checkpoint.step
        self.best = [(value, epoch) for value, epoch in checkpoint.best]
        self.epoch_seconds = checkpoint.epoch_seconds
        self._restore_own(checkpoint.ranks)

    def _take_step(self, micro_batches: list[Batch]) -> None:
        """Change the weights once, by the gradient of the mean loss over all that take part.

        Gradients are those of the loss's sum until the step's count is known over all micro-steps
        and processes; only then are they divided by it, so that it is the mean over all terms.
        """
        self.optimizer.zero_grad()
        before = self.totals.clone()
        several = self.processes.world_size > 1 or len(micro_batches) > 1
        # A size that is the same everywhere keeps gradients in the range of half precision.
        size = self.config.batch_size / self.processes.world_size
        for number, batch in enumerate(micro_batches, start=1):
            with self.parallel.micro_step(last=number == len(micro_batches)):
                batch = to_device(batch, self.device)
                with autocast(self.config, self.device):
                    loss = task_loss(self.parallel.network, batch)
                mean = loss.sum / (size if several else _nonzero(loss.count))
                self.scaler.scale(mean).backward()
            self.totals[0] += loss.sum.detach()
            self.totals[1] += loss.count
        norm = self.config.optimizer.max_grad_norm
        if several or norm:
            self.scaler.unscale_(self.optimizer)
        if several:
            self.parallel.require_gradients()
            self._divide_gradients(self.totals[1] - before[1], size)
        if norm:
            nn.utils.clip_grad_norm_(self.parameters, norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.step()
        self.parallel.sync_buffers()

    def _divide_gradients(self, count: Tensor, size: float) -> None:
        """Turn sums divided by ``size`` and averaged over processes into the mean over terms."""
        if self.processes.world_size > 1:
            distributed.all_reduce(count)
        factor = (size * self.processes.world_size / _nonzero(count)).to(torch.float32)
        for parameter in self.parameters:
            if parameter.grad is not None:
                gradient: Any = parameter.grad
                # A shard is scaled where it is.
                gradient = gradient.to_local() if isinstance(gradient, DTensor) else gradient
                gradient.mul_(factor)

    def _mean(self, totals: Tensor) -> float:
        parts = self.processes.gather(totals.tolist())
        count = sum(part[1] for part in parts)
        return float(sum(part[0] for part in parts) / count) if count else float("nan")

    def _evaluate(self, dataset: Samples) -> Evaluation:
        return evaluate(
            self.model,
            dataset,
            self.splits.collate,
            self.device,
            self.processes,
            # What fits into memory in training does so here.
            batch_size=self.config.micro_batch_size(self.processes.world_size),
            limit=self.config.limit_batches * self.config.batch_size,
            workers=self.config.workers,
        )

    def _restore_own(self, ranks: list[dict[str, Any]]) -> None:
        rank, world_size = self.processes.rank, self.processes.world_size
        if len(ranks) == world_size:
            self.totals.copy_(torch.tensor(ranks[rank]["totals"], dtype=self.totals.dtype))
            self.logged.copy_(torch.tensor(ranks[rank]["logged"], dtype=self.totals.dtype))
            restore_random_state(ranks[rank]["random"], self.device)
            return
        for name, kept in (("totals", self.totals), ("logged", self.logged)):
            whole = torch.tensor([own[name] for own in ranks], dtype=kept.dtype).sum(dim=0)
            kept.copy_(whole / world_size)
        if rank < len(ranks):
            restore_random_state(ranks[rank]["random"], self.device)
        else:
            seed_everything(derived_seed("resumed", self.config.seed, rank, self.step))


def _nonzero(count: Any) -> Any:
    """Return the count, or one in place of zero: of no term at all, the mean is zero."""
    return count + (count == 0)


def _splits(config: TrainConfig) -> Splits:
    """Return the task's samples, or those of the first few batches alone (``overfit_batches``)."""
    whole = load_splits(config)
    if not config.overfit_batches:
        return whole
    count = config.overfit_batches * config.batch_size
    available = len(whole.train)
    if count > available:
        raise InputError(
            f"overfit_batches must be at most {available // config.batch_size}, the batches that "
            f"there are; it is {config.overfit_batches}."
        )
    first: Any = Subset(cast(Dataset[Any], whole.train), range(count))
    return Splits(first, first, first, whole.collate, whole.augmented)
