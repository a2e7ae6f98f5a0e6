"""torch.export: a model as a program that torch runs without the code that it was written in."""

import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram

from .metadata import FILE as METADATA
from .noise import quiet
from .program import program_of
from .subject import Subject
from .target import Limits, Target, Written

FILE = "model.pt2"
TRACES = ("from_node", "nn_module_stack", "source_fn_stack", "stack_trace", "torch_fn")
"""Where in the source each step came from: half of a small program's size, and folders of ours."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TorchExport(Target):
    """Write a program that `torch.export.load` reads; the batch size is free."""

    tolerance: float = 1e-4
    """Greatest difference of an output from the model's."""

    def write(self, subject: Subject, folder: Path, metadata: dict[str, Any]) -> Written:
        """Write ``model.pt2``."""
        write_program(subject.model, subject.example(), folder / FILE, metadata)
        return Written(files=(FILE,), limits=Limits(difference=self.tolerance))


def write_program(
    model: nn.Module,
    example: Tensor,
    path: Path,
    metadata: dict[str, Any],
) -> None:
    """Write the program of a model, with its metadata as a file inside."""
    save_program(program_of(model, example), path, metadata)


def save_program(program: ExportedProgram, path: Path, metadata: dict[str, Any]) -> None:
    """Write a program, with its metadata as a file inside."""
    for module in program.graph_module.modules():
        if isinstance(module, fx.GraphModule):
            for node in module.graph.nodes:
                for trace in TRACES:
                    node.meta.pop(trace, None)
    extra = {METADATA: json.dumps(metadata, ensure_ascii=False)}
    with quiet():
        # Into memory first: where the disk is full, torch's own writer takes the process down.
        content = io.BytesIO()
        torch.export.save(program, content, extra_files=extra)
    path.write_bytes(content.getvalue())


def load(folder: Path) -> Callable[[Tensor], Tensor]:
    """Return the model as torch runs it."""
    return run_program(folder / FILE)


def run_program(path: Path) -> Callable[[Tensor], Tensor]:
    """Return a function that runs the program in a file."""
    with quiet():
        program = torch.export.load(path).module()

    def predict(images: Tensor) -> Tensor:
        logits: Tensor = program(images)
        return logits

    return predict
