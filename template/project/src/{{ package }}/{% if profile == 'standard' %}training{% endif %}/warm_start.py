"""Starting a run from other weights: those that fit by name and shape."""

from pathlib import Path

from torch import nn

from ..checkpoints.state import read_weights
from ..command import InputError
from ..distributed.processes import Processes

LOADED = "loaded"


def load_matching(model: nn.Module, path: Path | None, processes: Processes) -> dict[str, str]:
    """Load the weights of a file that fit the model; return what became of each, by name.

    Args:
        model: the model, with its first weights
        path: another run's best.pt, or any file of a state dict; None: nothing is loaded
        processes: those of the run, of which each loads the same

    Raises:
        InputError: the file cannot be read, or nothing in it fits
    """
    if path is None:
        return {}
    given = processes.run_on_all(lambda: read_weights(path))
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    outcomes = {}
    for name in {**shapes, **given}:
        if name not in given:
            outcomes[name] = "not in the file"
        elif name not in shapes:
            outcomes[name] = "not in the model"
        elif (shape := tuple(given[name].shape)) != shapes[name]:
            outcomes[name] = f"{shape} in the file, {shapes[name]} in the model"
        else:
            outcomes[name] = LOADED
    loaded = {name: given[name] for name, outcome in outcomes.items() if outcome == LOADED}
    if not loaded:
        raise InputError(f"init_from: nothing in {path} fits the model by name and shape.")
    model.load_state_dict(loaded, strict=False)
    return outcomes


def table(outcomes: dict[str, str]) -> str:
    """Return what matched as text: how much, and each tensor that did not."""
    missed = {name: outcome for name, outcome in outcomes.items() if outcome != LOADED}
    lines = [f"{len(outcomes) - len(missed)} of {len(outcomes)} tensors loaded"]
    width = max(map(len, missed), default=0)
    return "\n".join([*lines, *(f"  {name:<{width}}  {missed[name]}" for name in missed)])
