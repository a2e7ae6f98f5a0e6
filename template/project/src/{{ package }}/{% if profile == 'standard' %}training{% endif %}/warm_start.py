"""Starting a run from other weights: those that fit by name and shape."""

import dataclasses
from pathlib import Path

from torch import Tensor, nn

from ..checkpoints.state import read_weights
from ..command import InputError
from ..distributed.processes import Processes


@dataclasses.dataclass(frozen=True)
class Match:
    """What became of one tensor of the model or of the file."""

    name: str
    outcome: str
    """``loaded``, ``not in the file``, ``not in the model``, or both shapes."""


def load_matching(model: nn.Module, path: Path | None, processes: Processes) -> list[Match]:
    """Load the weights of a file that fit the model; return what matched, tensor by tensor.

    Args:
        model: the model, with its first weights
        path: another run's best.pt, or any file of a state dict; None: nothing is loaded
        processes: those of the run, of which each loads the same

    Raises:
        InputError: the file cannot be read, or nothing in it fits
    """
    if path is None:
        return []
    given = processes.run_on_all(lambda: read_weights(path))
    ours = model.state_dict()
    matches = [Match(name, _outcome(tensor, given.get(name))) for name, tensor in ours.items()]
    matches += [Match(name, "not in the model") for name in given if name not in ours]
    loaded = {match.name: given[match.name] for match in matches if match.outcome == "loaded"}
    if not loaded:
        raise InputError(f"init_from: nothing in {path} fits the model by name and shape.")
    model.load_state_dict(loaded, strict=False)
    return matches


def table(matches: list[Match]) -> str:
    """Return what matched as text: how much, and each tensor that did not."""
    loaded = sum(match.outcome == "loaded" for match in matches)
    lines = [f"{loaded} of {len(matches)} tensors loaded"]
    width = max(len(match.name) for match in matches)
    for match in matches:
        if match.outcome != "loaded":
            lines.append(f"  {match.name:<{width}}  {match.outcome}")
    return "\n".join(lines)


def _outcome(ours: Tensor, given: Tensor | None) -> str:
    if given is None:
        return "not in the file"
    if given.shape != ours.shape:
        return f"{tuple(given.shape)} in the file, {tuple(ours.shape)} in the model"
    return "loaded"
