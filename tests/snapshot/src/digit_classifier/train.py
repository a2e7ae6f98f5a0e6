"""Train the classifier and test it; the option ``--help`` tells every setting."""

import argparse
import dataclasses
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from .checkpoint import Checkpoint, load_checkpoint, same_model_expected
from .command import run_command
from .config import TrainConfig
from .config_file import config_to_values, read_config
from .errors import InputError
from .metrics import read_metrics
from .plots import plot_confusion, plot_losses
from .training import Trainer, run

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


def main(arguments: Sequence[str]) -> None:
    """Train as the arguments say, then test the best epoch and draw the plots."""
    config, checkpoint = parse(arguments)
    trainer = Trainer(config)
    if checkpoint is not None:
        with same_model_expected(config.output / "last.pt"):
            trainer.restore(checkpoint)
    try:
        evaluation = run(trainer)
        plot_losses(read_metrics(config.output / "metrics.jsonl"), config.output / "losses.png")
        plot_confusion(evaluation.confusion, config.output / "confusion.png")
    except KeyboardInterrupt:
        folder = shlex.quote(str(config.output))
        print(f"\nStopped. To go on: {PROGRAM} --resume {folder}", file=sys.stderr)
        raise
    print(f"test accuracy {evaluation.accuracy:.2%}")
    print(f"checkpoints, metrics and plots: {config.output}")


def parse(arguments: Sequence[str]) -> tuple[TrainConfig, Checkpoint | None]:
    """Return the settings, and the checkpoint where a run is resumed."""
    # Where the defaults come from has to be known before the settings can be read.
    origin = argparse.ArgumentParser(
        prog=PROGRAM,
        usage=f"{PROGRAM} [OPTIONS]",
        add_help=False,
        allow_abbrev=False,
    )
    origin.add_argument("--config", type=Path)
    origin.add_argument("--resume", type=Path)
    chosen, _ = origin.parse_known_args(arguments)
    if chosen.config and chosen.resume:
        raise InputError("Give --config or --resume: a resumed run keeps its settings.")
    checkpoint, defaults = None, TrainConfig()
    if chosen.resume:
        checkpoint = load_checkpoint(chosen.resume / "last.pt")
        # The folder may have been moved since.
        defaults = dataclasses.replace(checkpoint.config, output=chosen.resume)
    elif chosen.config:
        defaults = read_config(chosen.config)

    command = tyro.cli(
        TrainCommand,
        prog=PROGRAM,
        description="Train the digit classifier and test it.",
        args=arguments,
        default=TrainCommand(settings=defaults, config=chosen.config, resume=chosen.resume),
    )
    if checkpoint is None:
        _refuse_old_run(command.settings.output)
    else:
        _refuse_other_settings(command.settings, defaults)
        _refuse_fewer_epochs(command.settings, checkpoint)
    return command.settings, checkpoint


def _refuse_old_run(folder: Path) -> None:
    if (folder / "last.pt").exists():
        raise InputError(
            f"{folder} holds a run: go on with it by --resume {folder}, choose another folder with "
            f"--output, or delete it."
        )


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
