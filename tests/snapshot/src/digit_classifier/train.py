"""Train the classifier and test it; the option ``--help`` tells every setting."""

import argparse
import contextlib
import dataclasses
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from .checkpoint import Checkpoint, load_state, same_model_expected
from .checkpoint_folder import STATE, CheckpointFolder
from .command import run_command
from .config import TrainConfig
from .config_file import config_to_values, read_config
from .console import say, silence, warn
from .distributed import ALONE, Processes, launch_name, launched_processes, restart_count
from .errors import InputError
from .evaluation import Evaluation
from .metrics import read_metrics
from .plots import plot_confusion, plot_losses
from .run import Run
from .signals import Stopped, StopSignals
from .training import Trainer

PROGRAM = "python -m digit_classifier.train"
# What may change when a run is resumed; all else would make it another run.
CHANGEABLE = ("epochs", "device")


@dataclasses.dataclass(frozen=True)
class TrainCommand:
    """The command line of training."""

    settings: Annotated[TrainConfig, tyro.conf.arg(name="")]

    config: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """TOML file of settings, such as configs/digits.toml; the command line goes before it."""

    resume: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None
    """Go on with the run in this folder, with the settings it began with."""


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where a run goes on: a checkpoint, and the folder of its files."""

    folder: Path
    checkpoint: Checkpoint


def main(arguments: Sequence[str]) -> None:
    """Train as the arguments say, then test the best epoch and draw the plots."""
    with StopSignals() as signals, launched_processes() as processes:
        # What is wrong with the arguments, or which there are, is told once.
        with contextlib.nullcontext() if processes.is_zero else silence():
            config, origin = parse(arguments, processes)
        _train(config, origin, processes, signals)


def parse(
    arguments: Sequence[str],
    processes: Processes = ALONE,
) -> tuple[TrainConfig, Origin | None]:
    """Return the settings, and where a run goes on if it does."""
    # Where the defaults come from has to be known before the settings can be read.
    first = argparse.ArgumentParser(
        prog=PROGRAM,
        usage=f"{PROGRAM} [OPTIONS]",
        add_help=False,
        allow_abbrev=False,
    )
    first.add_argument("--config", type=Path)
    first.add_argument("--resume", type=Path)
    chosen, _ = first.parse_known_args(arguments)
    if chosen.config and chosen.resume:
        raise InputError("Give --config or --resume: a resumed run keeps its settings.")
    origin, defaults = None, TrainConfig()
    if chosen.resume:
        origin = _newest(chosen.resume, processes)
        # The folder may have been moved since.
        defaults = dataclasses.replace(origin.checkpoint.config, output=chosen.resume)
    elif chosen.config:
        defaults = read_config(chosen.config)

    command = tyro.cli(
        TrainCommand,
        prog=PROGRAM,
        description="Train the digit classifier and test it.",
        args=arguments,
        default=TrainCommand(settings=defaults, config=chosen.config, resume=chosen.resume),
    )
    settings = command.settings
    if origin is None and processes.from_zero(lambda: _holds_a_run(settings.output)):
        origin = _restarted(settings.output, processes)
    if origin is not None:
        recorded = dataclasses.replace(origin.checkpoint.config, output=settings.output)
        _refuse_other_settings(settings, recorded if chosen.resume is None else defaults)
        _refuse_fewer_epochs(settings, origin.checkpoint)
    return settings, origin


def _train(
    config: TrainConfig,
    origin: Origin | None,
    processes: Processes,
    signals: StopSignals,
) -> None:
    """Hold the trainer, which has to be gone when the processes part."""
    trainer = Trainer(config, processes)
    if origin is not None:
        _restore(trainer, origin)
    try:
        evaluation = Run(trainer, signals).to_the_end()
        processes.from_zero(lambda: _finish(config.output, evaluation))
    except Stopped:
        if processes.is_zero:
            warn(f"\nStopped. To go on: {_way_on(config.output, processes)}")
        raise


def _newest(run: Path, processes: Processes) -> Origin:
    """Read the newest whole checkpoint of a run: rank zero's choice, so that all take the same."""
    folder = processes.from_zero(lambda: CheckpointFolder(run).newest(warn))
    return Origin(folder, processes.together(lambda: load_state(Checkpoint, folder / STATE)))


def _holds_a_run(folder: Path) -> bool:
    # Weights alone are those of a run that had checkpoints of another form.
    return bool(CheckpointFolder(folder).steps()) or (folder / "best.pt").exists()


def _restarted(run: Path, processes: Processes) -> Origin:
    """Return where to go on if torchrun started these processes anew; else the run is another."""
    if restart_count() > 0:
        origin = _newest(run, processes)
        known = launch_name() in origin.checkpoint.launches
        if any(processes.gather(known)):
            if processes.is_zero:
                say(f"Restarted: going on from {origin.folder}.")
            return origin
    raise InputError(
        f"{run} holds a run: go on with it by --resume {run}, choose another folder with "
        f"--output, or delete it."
    )


def _restore(trainer: Trainer, origin: Origin) -> None:
    processes, before = trainer.processes, len(origin.checkpoint.ranks)
    with same_model_expected(origin.folder / STATE):
        trainer.restore(origin.checkpoint, origin.folder)
    if processes.is_zero and before != processes.world_size:
        say(
            f"Processes: {processes.world_size}, before {before}. The run goes on with new random "
            f"numbers, so not bit for bit."
        )


def _finish(folder: Path, evaluation: Evaluation) -> None:
    plot_losses(read_metrics(folder / "metrics.jsonl"), folder / "losses.png")
    plot_confusion(evaluation.confusion, folder / "confusion.png")
    say(f"test accuracy {evaluation.accuracy:.2%}")
    say(f"checkpoints, metrics and plots: {folder}")


def _way_on(folder: Path, processes: Processes) -> str:
    resume = f"-m digit_classifier.train --resume {shlex.quote(str(folder))}"
    if not processes.grouped:
        return f"python {resume}"
    here = int(os.environ.get("LOCAL_WORLD_SIZE", processes.world_size))
    if here == processes.world_size:
        return f"torchrun --nproc-per-node {here} {resume}"
    return f"torchrun with the options of before, {resume}"


def _refuse_other_settings(settings: TrainConfig, recorded: TrainConfig) -> None:
    now, then = (_flat(config_to_values(config)) for config in (settings, recorded))
    changed = [name for name in now if now[name] != then[name] and name not in CHANGEABLE]
    if changed:
        raise InputError(
            f"A resumed run keeps its settings, except {' and '.join(CHANGEABLE)}: leave out "
            f"{', '.join(changed)}, or start a new run."
        )


def _refuse_fewer_epochs(settings: TrainConfig, checkpoint: Checkpoint) -> None:
    if settings.epochs < checkpoint.epoch:
        raise InputError(
            f"{settings.output} has done {checkpoint.epoch} epochs: --epochs must be at least that."
        )


def _flat(values: dict[str, object], prefix: str = "") -> dict[str, object]:
    """Name nested settings as on the command line: ``data.batch_size``."""
    flat: dict[str, object] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


if __name__ == "__main__":
    sys.exit(run_command(lambda: main(sys.argv[1:])))
