"""Time the generated trainer beside a bare PyTorch loop, Accelerate and Lightning; print JSON.

Usage: python training_steps.py PACKAGE PAIRS EPOCHS

All train the same model on the same samples with the task's own loss and the same optimizer,
schedule and clipping, in this process, on one thread of the CPU or on the GPU.
`benchmarks/training.py` calls it with a generated repository on the path. Accelerate and Lightning
are left out where they are not installed.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import json
import logging
import statistics
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Loop(Protocol):
    """Something that trains, an epoch at a time."""

    def epoch(self) -> None:
        """Train on every sample once."""


class Generated:
    """The generated repository's trainer, as its `train` command drives it."""

    def __init__(self, package: str) -> None:
        settings: Any = importlib.import_module(f"{package}.training.settings")
        trainers: Any = importlib.import_module(f"{package}.training.trainer")
        self.build: Any = importlib.import_module(f"{package}.task.model").build_model
        self.loss: Any = importlib.import_module(f"{package}.task.objective").loss
        self.to_device: Any = importlib.import_module(f"{package}.training.evaluation").to_device
        # So many epochs that the schedule stays near its peak for as long as we look.
        self.config = dataclasses.replace(settings.default_config(), epochs=1000)
        self.trainer = trainers.Trainer(self.config)
        self.device: torch.device = self.trainer.device

    @property
    def samples(self) -> int:
        """Samples in an epoch."""
        return int(self.trainer.sampler.steps * self.config.batch_size)

    def steps(self) -> Iterator[None]:
        """Train on every sample once, and pause after each step."""
        for _ in self.trainer.steps():
            yield
        self.trainer.finish_epoch()

    def epoch(self) -> None:
        """Train on every sample once."""
        for _ in self.steps():
            pass


class Parts:
    """What a loop by hand needs, of the same kind and the same settings as the generated one."""

    def __init__(self, generated: Generated) -> None:
        settings = generated.config.optimizer
        splits = generated.trainer.splits
        self.loss = generated.loss
        self.max_grad_norm: float = settings.max_grad_norm
        self.model: nn.Module = generated.build(generated.config.model)
        self.optimizer = AdamW(
            self.model.parameters(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
        )
        self.schedule = LambdaLR(self.optimizer, lambda step: min(1.0, (step + 1) / 100))
        self.loader: DataLoader[Any] = DataLoader(
            splits.train,
            batch_size=generated.config.batch_size,
            shuffle=True,
            drop_last=True,
            collate_fn=splits.collate,
            pin_memory=generated.device.type == "cuda",
        )

    def mean_loss(self, model: nn.Module, batch: Any) -> torch.Tensor:
        """The task's loss of a batch, as the mean over its terms."""
        loss = self.loss(model, batch)
        mean: torch.Tensor = loss.sum / loss.count
        return mean


class Bare:
    """The loop of every PyTorch tutorial, with clipping and a schedule."""

    def __init__(self, generated: Generated) -> None:
        self.device = generated.device
        self.to_device = generated.to_device
        self.parts = Parts(generated)
        self.parts.model.to(self.device).train()
        self.parameters = list(self.parts.model.parameters())

    def steps(self) -> Iterator[None]:
        """Train on every sample once, and pause after each step."""
        for batch in self.parts.loader:
            self.step(batch)
            yield

    def epoch(self) -> None:
        """Train on every sample once."""
        for batch in self.parts.loader:
            self.step(batch)

    def step(self, batch: Any) -> None:
        """Change the weights once."""
        loss = self.parts.mean_loss(self.parts.model, self.to_device(batch, self.device))
        self.parts.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.parameters, self.parts.max_grad_norm)
        self.parts.optimizer.step()
        self.parts.schedule.step()


class ByAccelerate:
    """The same loop, its parts prepared by Accelerate."""

    def __init__(self, generated: Generated) -> None:
        accelerate: Any = importlib.import_module("accelerate")
        self.accelerator = accelerate.Accelerator(cpu=generated.device.type == "cpu")
        self.parts = Parts(generated)
        self.model, self.optimizer, self.loader, self.schedule = self.accelerator.prepare(
            self.parts.model, self.parts.optimizer, self.parts.loader, self.parts.schedule
        )
        self.model.train()

    def epoch(self) -> None:
        """Train on every sample once."""
        for batch in self.loader:
            loss = self.parts.mean_loss(self.model, batch)
            self.optimizer.zero_grad()
            self.accelerator.backward(loss)
            self.accelerator.clip_grad_norm_(self.model.parameters(), self.parts.max_grad_norm)
            self.optimizer.step()
            self.schedule.step()


def main() -> None:
    """Measure pairs of steps, then epochs in turn."""
    package, pairs, epochs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    warnings.simplefilter("ignore")
    generated = Generated(package)
    bare = Bare(generated)
    result: dict[str, Any] = {"device": str(generated.device)}
    if generated.device.type == "cuda":
        result["device"] = torch.cuda.get_device_name(generated.device)
    result["steps"] = pairs_of_steps(generated, bare, pairs)
    loops: dict[str, Loop] = {"the generated trainer": generated, "a bare PyTorch loop": bare}
    if importlib.util.find_spec("accelerate"):
        loops["Accelerate"] = ByAccelerate(generated)
    lightning = bool(importlib.util.find_spec("lightning"))
    seconds = epochs_beside_lightning if lightning else epochs_in_turn
    result["rates"] = {
        name: generated.samples / statistics.median(taken)
        for name, taken in seconds(generated, loops, epochs).items()
    }
    print(json.dumps(result))


def pairs_of_steps(generated: Generated, bare: Bare, pairs: int) -> dict[str, float]:
    """Let the two take one step each in turn, each with its own batch; compare the pairs."""
    ours: list[float] = []
    theirs: list[float] = []
    settle = settling(generated.device)
    generated.epoch()  # warms the caches
    bare.epoch()
    while len(ours) < pairs:
        steps = generated.steps(), bare.steps()
        # An epoch's start is not a step: both make an iterator over their data then.
        for each in steps:
            next(each)
        for number in range(1, generated.trainer.sampler.steps):
            # Whoever is first finds the caches as the other one left them: they take turns.
            order = [(steps[0], ours), (steps[1], theirs)]
            for each, taken in order if number % 2 else reversed(order):
                settle()
                started = time.perf_counter()
                next(each)
                settle()
                taken.append(time.perf_counter() - started)
        for _ in steps[0]:
            raise AssertionError("an epoch has more steps than it says")
    return {
        "ours": statistics.median(ours),
        "theirs": statistics.median(theirs),
        "ratio": statistics.median(a / b for a, b in zip(ours, theirs, strict=True)),
    }


def epochs_in_turn(
    generated: Generated,
    loops: dict[str, Loop],
    epochs: int,
) -> dict[str, list[float]]:
    """Let each loop train an epoch, in turn; the seconds of each, without a first one."""
    taken: dict[str, list[float]] = {name: [] for name in loops}
    for number in range(epochs + 1):
        for name in rotated(loops, number):
            taken[name].append(seconds_of(loops[name], generated.device))
    return {name: seconds[1:] for name, seconds in taken.items()}


def epochs_beside_lightning(
    generated: Generated,
    loops: dict[str, Loop],
    epochs: int,
) -> dict[str, list[float]]:
    """The same with Lightning, which owns the outer loop: the others take theirs between epochs."""
    lightning: Any = importlib.import_module("lightning")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    parts = Parts(generated)
    settle = settling(generated.device)
    taken: dict[str, list[float]] = {name: [] for name in [*loops, "Lightning"]}
    started = time.perf_counter()

    class Module(lightning.LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = parts.model

        def training_step(self, batch: Any, _: int) -> torch.Tensor:
            return parts.mean_loss(self.model, batch)

        def configure_optimizers(self) -> object:
            schedule = {"scheduler": parts.schedule, "interval": "step"}
            return {"optimizer": parts.optimizer, "lr_scheduler": schedule}

        def on_train_epoch_end(self) -> None:
            nonlocal started
            settle()
            taken["Lightning"].append(time.perf_counter() - started)
            for name in rotated(loops, self.current_epoch):
                taken[name].append(seconds_of(loops[name], generated.device))
            started = time.perf_counter()

    trainer = lightning.Trainer(
        accelerator="cpu" if generated.device.type == "cpu" else "gpu",
        devices=1,
        max_epochs=epochs + 1,
        gradient_clip_val=parts.max_grad_norm,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=Path.cwd(),
    )
    trainer.fit(Module(), parts.loader)
    return {name: seconds[1:] for name, seconds in taken.items()}


def rotated(loops: dict[str, Loop], number: int) -> list[str]:
    """The names, from another one on each time: the first finds the others' data in the caches."""
    names = [*loops]
    first = number % len(names)
    return names[first:] + names[:first]


def seconds_of(loop: Loop, device: torch.device) -> float:
    """How long an epoch takes."""
    settle = settling(device)
    settle()
    started = time.perf_counter()
    loop.epoch()
    settle()
    return time.perf_counter() - started


def settling(device: torch.device) -> Callable[[], object]:
    """What waits until the device has done its work."""
    if device.type == "cuda":
        return lambda: torch.cuda.synchronize(device)
    return lambda: None


if __name__ == "__main__":
    main()
