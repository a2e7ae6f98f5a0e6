"""Export a trained model, prove that what was written is what was trained, and say how it fares."""

import sys
from collections.abc import Callable, Sequence

import tyro

from ..command import run_command
from ..errors import InputError
from ..signals import StopSignals
from .delivery import export
from .onnx import Onnx
from .prune import Prune
from .quantize import Quantize
from .target import Target
from .torch_export import TorchExport

TARGETS: dict[str, Callable[..., Target]] = {
    "onnx": Onnx,
    "prune": Prune,
    "quantize": Quantize,
    "torch-export": TorchExport,
}


def main(arguments: Sequence[str]) -> None:
    """Export to the target that the command line names."""
    if arguments and not arguments[0].startswith("-") and arguments[0] not in TARGETS:
        raise InputError(f"There is no target {arguments[0]!r}: take {', '.join(TARGETS)}.")
    target = tyro.extras.subcommand_cli_from_dict(
        TARGETS,
        prog="python -m digit_classifier.export",
        description=__doc__,
        args=arguments,
    )
    name = next(name for name, kind in TARGETS.items() if type(target) is kind)
    with StopSignals():
        export(target, name)


if __name__ == "__main__":
    sys.exit(run_command(lambda: main(sys.argv[1:])))
