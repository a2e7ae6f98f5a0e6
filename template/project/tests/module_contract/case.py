"""What an author states of a module, and a case: one module that is built and called by it."""

import inspect
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from .rules import NotApplicable, require
from .tree import (
    apply,
    batch_axis,
    convert,
    deep_copied,
    extrapolated,
    is_lazy,
    shapes,
    state_of,
    stated_shapes,
    tensors,
)

BATCH = 3
INPUT_SEED = 1000
NO_SHAPES = "a lazy module has no shapes before its first forward"


class Contract:
    """What an author states about a module; `ModuleContract` makes tests of it.

    Attributes:
        parameter_count: The number of parameter elements, all of them trainable.
        parameter_shapes: Names and shapes of all parameters, if those are to be stated.
        opt_out: Checks that this module leaves out, each with the reason for it.
        torchscript: Whether the module promises to work with TorchScript.
    """

    parameter_count: ClassVar[int | None] = None
    parameter_shapes: ClassVar[Mapping[str, tuple[int, ...]] | None] = None
    opt_out: ClassVar[Mapping[str, str]] = {}
    torchscript: ClassVar[bool] = False
    # Whether advice fails too, as in generated code: what `repr` shows, examples in docstrings, and
    # a batch of none that torch cannot reshape. Nearly every published package would fail it.
    strict: ClassVar[bool] = False
    # Whether the module is no longer trained or built: in eval mode alone, by the checks of that.
    only_called: ClassVar[bool] = False

    def build(self, *args: Any, **kwargs: Any) -> nn.Module:
        """Build the module; pass `device` and `dtype` on if the module takes them."""
        raise NotImplementedError

    def inputs(self, batch: int) -> Any:
        """Return forward's arguments for that many samples, on the CPU in the default dtype.

        A tuple holds them by position, a dictionary by name.
        """
        raise NotImplementedError

    def output_shape(self, batch: int) -> object:
        """Return the output's shape; a tuple or dictionary of shapes for such outputs.

        Where it is not stated, batches of 2 and 3 show what any other batch has to give.
        """
        return None


class Instance(Contract):
    """A module that exists already, a trained one say, which is copied instead of built.

    Args:
        module: The module; it is left as it is.
        inputs: An example of forward's arguments by name. Where all tensors in it are equally
            long, their first dimension is the batch.
    """

    only_called = True

    def __init__(self, module: nn.Module, inputs: Mapping[str, Any]) -> None:
        self.module = module
        self.example = dict(inputs)

    def build(self) -> nn.Module:
        """Copy the module."""
        return deep_copied(self.module)

    def inputs(self, batch: int) -> Any:
        """Repeat the samples of the example until there are that many."""
        return repeated(self.example, batch)


def repeated(example: Any, batch: int) -> Any:
    """The samples of an example again and again, that many; all of it where it has no batch."""
    lengths = {tensor.shape[0] if tensor.dim() else 0 for _, tensor in tensors(example)}
    if len(lengths) != 1 or not all(lengths):
        return example
    rows = torch.arange(batch) % lengths.pop()
    return convert(example, lambda tensor: tensor[rows])


class Case:
    """One module with its inputs; every outcome is the same each time it is asked for."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        # Those in which a check calls forward that has no mode of its own: training, eval.
        self.modes = (False,) if contract.only_called else (True, False)
        self.outcomes: dict[str, Exception | None] = {}
        # What is expensive to make, kept by the check that made it for the ones that follow.
        self.kept: dict[object, Any] = {}

    def raw_build(self, **options: Any) -> nn.Module:
        """Build with a fixed seed; what the constructor raises comes through unchanged."""
        try:
            inspect.signature(self.contract.build).bind_partial(**options)
        except TypeError:
            raise NotApplicable(f"build() takes no `{', '.join(options)}`") from None
        seed_everything(0)
        return self.contract.build(**options)

    def build(self, *, training: bool = True, **options: Any) -> nn.Module:
        """Build with a fixed seed, in the mode asked for, lazy parameters given their shapes."""
        module = self.raw_build(**options)
        if is_lazy(module):
            require(options.get("device") is None, NO_SHAPES)
            module.eval()
            with torch.no_grad():
                apply(module, self.inputs(dtype=options.get("dtype")))
        module.train(training)
        return module

    def from_meta(self) -> tuple[nn.Module, bool]:
        """Build on the meta device, `to_empty` and reset it; and whether it takes a `device`."""

        def emptied(module: nn.Module) -> nn.Module:
            require(not is_lazy(module), NO_SHAPES)
            module.to_empty(device="cpu")
            # Children first: what a parent does to them in its own reset comes last.
            return module.apply(lambda part: getattr(part, "reset_parameters", lambda: None)())

        try:
            return emptied(self.raw_build(device="meta")), True
        except NotApplicable:
            pass
        try:
            with torch.device("meta"):
                module = self.raw_build()
            require(any(value.is_meta for _, value in state_of(module)), "nothing is there")
            require(not any(value.is_meta for _, value in state_of(emptied(module))), "it stays")
        except Exception as error:
            raise NotApplicable(f"cannot come from the meta device: {error}") from None
        return module, False

    def inputs(
        self,
        batch: int = BATCH,
        *,
        seed: int = 0,
        dtype: torch.dtype | None = None,
        gradients: bool = False,
    ) -> Any:
        """Fresh inputs, the same for one seed; floating ones cast and made leaves if asked."""

        def prepare(tensor: Tensor) -> Tensor:
            prepared = tensor.detach().clone()
            if dtype is not None and prepared.is_floating_point():
                prepared = prepared.to(dtype)
            elif dtype is torch.float64 and prepared.is_complex():
                prepared = prepared.to(torch.complex128)
            differentiable = prepared.is_floating_point() or prepared.is_complex()
            return prepared.requires_grad_(gradients and differentiable)

        # Not the seed of the parameters, or inputs would have their values.
        seed_everything(INPUT_SEED + seed)
        inputs = self.contract.inputs(batch)
        if not isinstance(inputs, tuple | Mapping):
            raise TypeError("it must return a tuple or a dictionary of forward's arguments")
        if any(tensor.is_meta for _, tensor in tensors(inputs)):
            raise ValueError("tensors on the meta device have no values")
        return convert(inputs, prepare)

    def precision(self) -> tuple[str, torch.dtype]:
        """The one floating-point type of the inputs, or of the parameters where they have none."""
        inputs = {one.dtype for _, one in tensors(self.inputs()) if one.is_floating_point()}
        state = {one.dtype for one in self.build().parameters() if one.is_floating_point()}
        for kinds in (inputs, state):
            if len(kinds) == 1:
                alike = "inputs and parameters" if state <= kinds else "inputs"
                return alike, kinds.pop()
        return "inputs and parameters", torch.get_default_dtype()

    def call(self, module: Callable[..., Any], inputs: Any = None, seed: int = 0) -> Any:
        """Call it with a fixed seed, on fresh inputs unless some are given."""
        inputs = self.inputs() if inputs is None else inputs
        seed_everything(seed)
        return apply(module, inputs)

    @torch.no_grad()
    def evaluate(self, module: Callable[..., Any], inputs: Any = None, seed: int = 0) -> Any:
        """Do the same without gradients."""
        return self.call(module, inputs, seed)

    def output_shape(self, batch: int = BATCH) -> object:
        """The shape of the output, stated or observed, as nested tuples and dictionaries."""
        stated = self.contract.output_shape(batch)
        if stated is not None:
            return extrapolated(stated, stated, batch)
        if "shapes" not in self.kept:
            self.kept["shapes"] = [
                shapes(self.evaluate(self.build(training=False), self.inputs(size)))
                for size in (2, 3)
            ]
        small, large = self.kept["shapes"]
        return extrapolated(small, large, batch)

    def input_axes(self) -> list[int | None]:
        small, large = ([one.shape for _, one in tensors(self.inputs(size))] for size in (2, 3))
        return [batch_axis(*pair) for pair in zip(small, large, strict=True)]

    def output_axes(self) -> list[int | None]:
        small, large = (stated_shapes(self.output_shape(size)) for size in (2, 3))
        return [batch_axis(*pair) for pair in zip(small, large, strict=True)]

    def require_batch(self, *, of_output: bool = True) -> None:
        """Leave the check if the inputs, or the outputs, do not depend on the batch."""
        require({*self.input_axes()} - {None}, "the inputs have no batch dimension")
        if of_output:
            require({*self.output_axes()} - {None}, "the output has no batch dimension")


def seed_everything(seed: int) -> None:
    random.seed(seed)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(seed)
    torch.manual_seed(seed)


# Inputs of other lengths than the stated ones, where a module takes them.


@dataclass(frozen=True)
class Lengths:
    """The dimensions of the inputs that may have another size.

    Attributes:
        inputs: The inputs as stated.
        axes: For each tensor in them, the dimensions that make up the length.
        size: The stated length.
    """

    inputs: Any
    axes: list[list[int]]
    size: int

    def of(self, size: int) -> Any:
        """The inputs for another length: cut, or repeated from the start."""
        remaining = iter(self.axes)
        index = torch.arange(size) % self.size

        def resize(tensor: Tensor) -> Tensor:
            for axis in next(remaining):
                counts = not tensor.is_floating_point() and bool((tensor.diff(dim=axis) == 1).all())
                tensor = tensor.index_select(axis, index)
                if counts:  # positions, which go on
                    rounds = torch.arange(size) // self.size * self.size
                    tensor = tensor + rounds.view(-1, *[1] * (tensor.dim() - axis - 1))
            return tensor.clone()

        return convert(self.inputs, resize)


def lengths_of(case: Case) -> Lengths | None:
    """The first dimension after the batch that a module takes in another size as well."""
    if "lengths" not in case.kept:
        module = case.build(training=False)
        case.kept["lengths"] = None
        for lengths in candidates(case):
            try:
                case.evaluate(module, lengths.of(lengths.size - 1))
            except Exception:
                continue
            case.kept["lengths"] = lengths
            break
    return case.kept["lengths"]


def candidates(case: Case) -> Iterator[Lengths]:
    """What may be a length: a dimension of the first tensor, and what equals it in the others."""
    inputs = case.inputs()
    given = [tensor for _, tensor in tensors(inputs)]
    try:
        batch = case.input_axes()
    except NotApplicable:
        batch = [None for _ in given]
    free = [[*range(tensor.dim())] for tensor in given]
    for axes, of_batch in zip(free, batch, strict=True):
        axes[:] = [axis for axis in axes if axis != of_batch]
    for place in free[0] if free else ():
        size = given[0].shape[place]
        alike = [
            [axis for axis in axes if tensor.shape[axis] == size]
            for tensor, axes in zip(given, free, strict=True)
        ]
        only = [[axis for axis in axes if axis == place] for axes in alike]
        yield from (Lengths(inputs, axes, size) for axes in (only, alike) if size > 1)
