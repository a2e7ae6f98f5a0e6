"""Checks of saved state: the state dict is all of it, and copies and files carry it."""

import copy
import io
import pickle

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from .case import Case
from .checks import BUILT, SOUND, Findings, check
from .findings import NotApplicable, finding
from .isolation import seed_everything
from .structure import difference
from .walk import join, package_of, parts, submodules


def other(case: Case) -> nn.Module:
    """A second module of the case with all its floating-point state different."""
    module = case.build(training=False)
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if isinstance(tensor, Tensor) and tensor.is_floating_point():
                tensor.add_(1.0)
    return module


@check(after=BUILT, calls_forward=False)
def state_dict(case: Case) -> Findings:
    """A state dict loads, strictly, into a fresh module and makes it equal."""
    source, target = case.build(), other(case)
    target.load_state_dict(copy.deepcopy(source.state_dict()), strict=True)
    if text := difference(dict(target.state_dict()), dict(source.state_dict())):
        yield finding("state_dict", "state_dict()", f"is different after loading: {text}")


@check(after=SOUND)
def loaded_output(case: Case) -> Findings:
    """A fresh module with a loaded state dict computes what the saved one did."""
    source = case.build(training=False)
    # Another seed: what is random in the constructor and not in the state dict differs.
    seed_everything(1)
    target = case.contract.build()
    with torch.no_grad():
        expected = case.call(source, case.inputs())
        target.eval()
        # A lazy module takes its shapes from a first forward.
        case.call(target, case.inputs())
        target.load_state_dict(source.state_dict())
        actual = case.call(target, case.inputs())
    if text := difference(actual, expected):
        problem = f"something outside the state dict decides the output: {text}"
        advice = "Register it as a persistent buffer, or make it a constructor's argument."
        yield finding("loaded_output", "state_dict()", problem, advice=advice)


@check(after=BUILT, calls_forward=False)
def pickling(case: Case) -> Findings:
    """The whole module can be pickled, as worker processes and `torch.save` need."""
    module = case.build()
    if any(parametrize.is_parametrized(part) for part in module.modules()):
        raise NotApplicable("torch pickles no parametrised module, only its state dict")
    try:
        copied = pickle.loads(pickle.dumps(module))
    except Exception as error:
        culprits = list(unpicklable(module))
        for path, problem in culprits:
            yield finding("pickling", path, problem, "NN501")
        if not culprits:
            yield finding("pickling", type(module).__name__, f"cannot be pickled: {error}")
        return
    if text := difference(dict(copied.state_dict()), dict(module.state_dict())):
        yield finding("pickling", "state_dict()", f"is different after pickling: {text}")


def unpicklable(module: nn.Module) -> list[tuple[str, str]]:
    """The attributes that stand in the way."""
    return [
        culprit
        for path, part in submodules(module)
        for name, value in vars(part).items()
        if name not in ("_modules", "_parameters", "_buffers")
        for culprit in refused(join(path, name), value, package_of(part))
    ]


def refused(path: str, value: object, package: str) -> list[tuple[str, str]]:
    """The innermost values that pickle refuses."""
    try:
        pickle.dumps(value)
    except Exception as error:
        inner = [
            culprit
            for where, part in parts(path, value, package)
            for culprit in refused(where, part, package)
        ]
        return inner or [(path, f"cannot be pickled: {error}")]
    return []


@check(after=(*BUILT, "pickling"), calls_forward=False)
def deep_copy(case: Case) -> Findings:
    """A deep copy is equal and shares no storage with the original."""
    module = case.build()
    copied = copy.deepcopy(module)
    if text := difference(dict(copied.state_dict()), dict(module.state_dict())):
        yield finding("deep_copy", "state_dict()", f"is different in the copy: {text}")
    storage = {value.data_ptr() for value in module.state_dict().values() if is_stored(value)}
    for name, value in copied.state_dict().items():
        if is_stored(value) and value.data_ptr() in storage:
            yield finding("deep_copy", name, "the copy shares its memory with the original")


def is_stored(value: object) -> bool:
    """Whether a value is a tensor with memory of its own."""
    return isinstance(value, Tensor) and value.numel() > 0


@check(after=BUILT, calls_forward=False)
def safe_file(case: Case) -> Findings:
    """The state dict goes through a file that loads with `weights_only=True`."""
    state = case.build().state_dict()
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    try:
        loaded = torch.load(file, weights_only=True)
    except pickle.UnpicklingError as error:
        text = str(error).strip().splitlines()[0]
        advice = "Keep tensors and plain values only in the state dict."
        yield finding("safe_file", "state_dict()", f"does not load: {text}", advice=advice)
        return
    if text := difference(dict(loaded), dict(state)):
        yield finding("safe_file", "state_dict()", f"is different after loading: {text}")
