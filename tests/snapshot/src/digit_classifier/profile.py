"""Find out where training spends its time: a trace of real steps, and its costliest operators."""

import argparse
import contextlib
import dataclasses
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import tyro
from torch import profiler

from .command import run_command
from .config import TrainConfig
from .config_file import read_config
from .console import say, silence
from .distributed import Processes, launched_processes
from .errors import InputError
from .memory import MIB, forget_peak, peak_memory
from .signals import StopSignals
from .training import Trainer

PROGRAM = f"python -m {__package__}.profile"
TRACE = "trace.json.gz"


@dataclasses.dataclass(frozen=True)
class ProfileCommand:
    """The command line of profiling."""

    settings: Annotated[TrainConfig, tyro.conf.arg(name="")]

    config: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """TOML file of settings, such as configs/digits.toml; the command line goes before it."""

    steps: int = 5
    """Training steps to look at."""

    warmup: int = 3
    """Steps before them, in which compilers and caches settle."""

    top: int = 10
    """Operators to print in each table."""

    def __post_init__(self) -> None:
        """Refuse what shows nothing."""
        for name in ("steps", "warmup", "top"):
            if (value := getattr(self, name)) < 1:
                raise InputError(f"{name} must be at least 1; it is {value}.")


class _Enough(Exception):
    """All steps are taken, wherever the epoch stands."""


def main(arguments: Sequence[str]) -> None:
    """Take a few training steps as the arguments say; write their trace, print what costs most."""
    with StopSignals(), launched_processes() as processes:
        # What is wrong with the arguments, or which there are, is told once.
        with contextlib.nullcontext() if processes.is_zero else silence():
            command = parse(arguments)
        _profile(command, processes)


def parse(arguments: Sequence[str]) -> ProfileCommand:
    """Return the settings of training, and how much of it to look at."""
    # Where the defaults come from has to be known before the settings can be read.
    first = argparse.ArgumentParser(prog=PROGRAM, add_help=False, allow_abbrev=False)
    first.add_argument("--config", type=Path)
    chosen, _ = first.parse_known_args(arguments)
    defaults = TrainConfig(output=Path("runs/profile"))
    if chosen.config:
        defaults = dataclasses.replace(read_config(chosen.config), output=defaults.output)
    return tyro.cli(
        ProfileCommand,
        prog=PROGRAM,
        description="Take a few training steps and show where they spend their time.",
        args=arguments,
        default=ProfileCommand(settings=defaults, config=chosen.config),
    )


def observe(trainer: Trainer, *, steps: int, warmup: int) -> profiler.profile:
    """Take steps of training, warm-up first; return what the profiler saw of the others."""
    activities = [profiler.ProfilerActivity.CPU]
    if trainer.device.type == "cuda":
        activities.append(profiler.ProfilerActivity.CUDA)
    with profiler.profile(
        activities=activities,
        schedule=profiler.schedule(wait=0, warmup=warmup, active=steps, repeat=1),
        record_shapes=True,
        profile_memory=True,
        # The events of a cycle would be gone when it ends.
        acc_events=True,
    ) as observed:
        last = trainer.step + warmup + steps

        def after_step() -> None:
            observed.step()
            if trainer.step == last:
                raise _Enough

        forget_peak(trainer.device)
        with contextlib.suppress(_Enough):
            while True:
                trainer.train_epoch(after_step)
    return observed


@dataclasses.dataclass(frozen=True)
class Column:
    """What a table sorts by and shows: a figure of each operator, for one step."""

    title: str
    unit: str
    figure: Callable[[Any], float]


SELF_CPU = Column("time on the CPU", "ms", lambda event: event.self_cpu_time_total / 1e3)
SELF_CUDA = Column("time on the GPU", "ms", lambda event: event.self_device_time_total / 1e3)
CPU_MEMORY = Column("memory on the CPU", "MiB", lambda event: event.self_cpu_memory_usage / MIB)
CUDA_MEMORY = Column("memory on the GPU", "MiB", lambda event: event.self_device_memory_usage / MIB)


def table(observed: profiler.profile, column: Column, *, steps: int, top: int) -> Iterator[str]:
    """Give the lines of a table: the operators that take most of it by themselves."""
    events = [
        event
        for event in observed.key_averages()
        # A step as a whole is no operator, and what is given back counts below zero.
        if not event.key.startswith("ProfilerStep") and column.figure(event) > 0
    ]
    total = sum(column.figure(event) for event in events)
    yield f"{column.unit + '/step':>10}  {'share':>6}  {'calls/step':>10}  own {column.title}"
    for event in sorted(events, key=column.figure, reverse=True)[:top]:
        own, calls = column.figure(event), event.count
        yield f"{own / steps:10.3f}  {own / total:6.1%}  {calls / steps:10.1f}  {event.key[:60]}"


def _profile(command: ProfileCommand, processes: Processes) -> None:
    """Hold the trainer, which has to be gone when the processes part."""
    processes.from_zero(lambda: _make(command.settings.output))
    trainer = Trainer(command.settings, processes)
    observed = observe(trainer, steps=command.steps, warmup=command.warmup)
    processes.from_zero(lambda: _tell(command, trainer, observed))


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"Cannot make the folder {folder}: {error.strerror}.") from error


def _tell(command: ProfileCommand, trainer: Trainer, observed: profiler.profile) -> None:
    trace = command.settings.output / TRACE
    observed.export_chrome_trace(str(trace))
    images = command.settings.data.batch_size
    say(f"{command.steps} training steps of {images} images, on {trainer.device}")
    columns = [SELF_CPU, CPU_MEMORY]
    if trainer.device.type == "cuda":
        columns = [SELF_CUDA, SELF_CPU, CUDA_MEMORY]
    for column in columns:
        say("")
        for line in table(observed, column, steps=command.steps, top=command.top):
            say(line)
    say("")
    for name, mebibytes in peak_memory(trainer.device).items():
        say(f"{name.removesuffix('_mib').replace('_', ' ')}: {mebibytes} MiB")
    say(f"trace for https://ui.perfetto.dev or chrome://tracing: {trace}")


if __name__ == "__main__":
    sys.exit(run_command(lambda: main(sys.argv[1:])))
