"""Watches on a running model: the devices it names, what it builds and draws in `forward`."""

import contextlib
import pickle
import random
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from .rules import Breach
from .source import Line, calling_line, is_own, running_line

_DEVICES = frozenset({"cpu", "cuda", "hpu", "meta", "mps", "mtia", "xpu"})


class CallWatch(TorchFunctionMode):
    """Notes the author's lines that name a device, or squeeze whatever dimension there is.

    Args:
        home: the type of the device that the model and its input are on
    """

    def __init__(self, home: str) -> None:
        super().__init__()
        self._home = home
        self.devices: dict[str, Breach] = {}
        self.squeezes: list[str] = []

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Note the call if the author made it, then let it happen."""
        kwargs = kwargs or {}
        if where := calling_line():
            self._note(getattr(func, "__name__", ""), where, args, kwargs)
        return func(*args, **kwargs)

    def _note(self, name: str, where: str, args: Any, kwargs: Any) -> None:
        if name == "squeeze" and len(args) == 1 and "dim" not in kwargs:
            self.squeezes.append(where)
        named = [kwargs.get("device")]
        if name in ("to", "type"):
            named += args[1:2]
        if name in ("cpu", "cuda", "xpu"):
            named = [name]
        for device in named:
            kind = _device_type(device)
            if not kind or kind == self._home:
                continue
            if kind == "cpu" and name in ("cpu", "to"):
                # Lengths of sequences, which are no floats, live on the CPU by torch's own rule.
                if args[0].is_floating_point():
                    problem = f"forward moves a tensor of shape {tuple(args[0].shape)} to the CPU"
                    self.devices.setdefault(where, Breach("NN404", where, problem))
            else:
                problem = f"`{name}` names the device {str(device)!r}"
                self.devices.setdefault(where, Breach("NN301", where, problem))


def _device_type(device: object) -> str:
    if isinstance(device, torch.device):
        return device.type
    if isinstance(device, int) and not isinstance(device, bool):
        return "cuda"  # an index alone is one of an accelerator
    if isinstance(device, str):
        # A device, or a type of tensor such as `torch.cuda.FloatTensor`.
        name = device.removeprefix("torch.").partition(":")[0].partition(".")[0]
        return name if name in _DEVICES else ""
    return ""


@contextlib.contextmanager
def creations_watched() -> Iterator[list[Breach]]:
    """Note the modules with state, and the parameters, that come into being meanwhile."""
    modules: list[tuple[str, nn.Module]] = []
    parameters: list[tuple[str, Tensor]] = []
    breaches: list[Breach] = []
    initialise, create = nn.Module.__init__, nn.Parameter.__new__

    def watched_init(module: nn.Module, *args: Any, **kwargs: Any) -> None:
        initialise(module, *args, **kwargs)
        modules.append((running_line(), module))

    def watched_new(kind: type[nn.Parameter], *args: Any, **kwargs: Any) -> Any:
        parameter = create(kind, *args, **kwargs)
        parameters.append((running_line(), parameter))
        return parameter

    # Set as types forbid, for as long as the block runs.
    module_class: Any = nn.Module
    parameter_class: Any = nn.Parameter
    module_class.__init__, parameter_class.__new__ = watched_init, watched_new
    try:
        yield breaches
    finally:
        module_class.__init__, parameter_class.__new__ = initialise, staticmethod(create)
    for where, module in modules:
        if any(True for _ in (*module.parameters(), *module.buffers())):
            problem = f"forward builds a new {type(module).__name__}: no checkpoint has it"
            breaches.append(Breach("NN106", where, problem))
    if not breaches:
        for where, parameter in parameters:
            problem = f"forward creates a parameter of shape {tuple(parameter.shape)}"
            breaches.append(Breach("NN105", where, problem))


def random_states() -> tuple[Any, ...]:
    """Return the states of the generators that a program draws from unless told otherwise."""
    # As bytes, for arrays of numbers do not compare as wholes.
    return (
        random.getstate(),
        pickle.dumps(np.random.get_state()),
        torch.get_rng_state().numpy().tobytes(),
    )


@contextlib.contextmanager
def lines_that_change(observe: Callable[[], Any]) -> Iterator[list[tuple[Line, Any]]]:
    """Note the author's lines after which something is another than before, and what it then is.

    It looks after each line, which takes its time.
    """
    found: list[tuple[Line, Any]] = []
    seen = observe()
    last: dict[FrameType, int] = {}

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal seen
        if not is_own(frame.f_code.co_filename):
            return None
        if event != "call" and (now := observe()) != seen:
            seen = now
            line = last.get(frame, frame.f_lineno)
            found.append(((frame.f_code.co_filename, line), now))
        last[frame] = frame.f_lineno
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield found
    finally:
        sys.settrace(before)
