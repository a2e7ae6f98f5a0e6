"""A module under test: how it is built and called, and what follows from its inputs."""

import inspect
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from .findings import NotApplicable
from .isolation import seed_everything
from .structure import convert, is_shape, normalised, tensors

BATCH = 3
INPUT_SEED = 1000


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

    def build(self, *args: Any, **kwargs: Any) -> nn.Module:
        """Build the module; take `device` and `dtype` by keyword if the module does."""
        raise NotImplementedError

    def inputs(self, batch: int) -> tuple[Any, ...]:
        """Return forward's arguments for that many samples, on the CPU in the default dtype."""
        raise NotImplementedError

    def output_shape(self, batch: int) -> object:
        """Return the output's shape; a tuple or dictionary of shapes for such outputs."""
        raise NotImplementedError


class Case:
    """One module with its inputs; every answer is the same each time it is asked."""

    def __init__(self, contract: Contract) -> None:
        """Wrap what the author states."""
        self.contract = contract
        self.outcomes: dict[str, Exception | None] = {}

    def accepts(self, option: str) -> bool:
        """Whether the builder takes `device` or `dtype`."""
        parameters = inspect.signature(self.contract.build).parameters
        return option in parameters or any(
            parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()
        )

    def raw_build(self, **options: Any) -> nn.Module:
        """Build with a fixed seed; what the constructor raises comes through unchanged."""
        for option in options:
            if not self.accepts(option):
                raise NotApplicable(f"build() takes no `{option}`")
        seed_everything(0)
        return self.contract.build(**options)

    def build(self, *, training: bool = True, **options: Any) -> nn.Module:
        """Build with a fixed seed, in the mode asked for, lazy parameters given their shapes."""
        module = self.raw_build(**options)
        if is_lazy(module):
            if options.get("device") is not None:
                raise NotApplicable("a lazy module has no shapes before its first forward")
            module.eval()
            dtype = options.get("dtype") or torch.get_default_dtype()
            with torch.no_grad():
                module(*self.inputs(dtype=dtype))
        module.train(training)
        return module

    def inputs(
        self,
        batch: int = BATCH,
        *,
        seed: int = 0,
        dtype: torch.dtype | None = None,
        gradients: bool = False,
    ) -> tuple[Any, ...]:
        """Fresh inputs, the same for one seed; floating ones cast and made leaves if asked."""

        def prepare(tensor: Tensor) -> Tensor:
            prepared = tensor.detach().clone()
            if dtype is not None and prepared.is_floating_point():
                prepared = prepared.to(dtype)
            elif dtype is torch.float64 and prepared.is_complex():
                prepared = prepared.to(torch.complex128)
            if gradients and (prepared.is_floating_point() or prepared.is_complex()):
                prepared.requires_grad_()
            return prepared

        # Not the seed of the parameters, or inputs would have their values.
        seed_everything(INPUT_SEED + seed)
        inputs = self.contract.inputs(batch)
        if not isinstance(inputs, tuple):
            raise TypeError("inputs(batch) must return a tuple of forward's arguments")
        return tuple(convert(value, prepare) for value in inputs)

    def call(self, module: nn.Module, inputs: tuple[Any, ...], seed: int = 0) -> Any:
        """Call the module from a fixed random state."""
        seed_everything(seed)
        return module(*inputs)

    def output_shape(self, batch: int = BATCH) -> object:
        """The stated shape of the output, as nested tuples and dictionaries."""
        return normalised(self.contract.output_shape(batch))

    def input_axes(self) -> list[int | None]:
        """The batch's dimension in each input tensor; None where it has no such dimension."""
        return [
            batch_axis(tuple(small.shape), tuple(large.shape))
            for (_, small), (_, large) in zip(
                tensors(self.inputs(2)),
                tensors(self.inputs(3)),
                strict=True,
            )
        ]

    def output_axes(self) -> list[int | None]:
        """The same for each output tensor."""
        pairs = zip(
            stated_shapes(self.output_shape(2)),
            stated_shapes(self.output_shape(3)),
            strict=True,
        )
        return [batch_axis(small, large) for small, large in pairs]

    def require_batch(self, *, of_output: bool = True) -> None:
        """Leave the check if the inputs, or the outputs, do not depend on the batch."""
        if all(axis is None for axis in self.input_axes()):
            raise NotApplicable("the inputs have no batch dimension")
        if of_output and all(axis is None for axis in self.output_axes()):
            raise NotApplicable("the output has no batch dimension")


def batch_axis(small: tuple[int, ...], large: tuple[int, ...]) -> int | None:
    """The one dimension that follows the batch, from shapes for batches of 2 and 3."""
    if len(small) != len(large):
        raise NotApplicable("the number of dimensions depends on the batch")
    changed = [axis for axis in range(len(small)) if small[axis] != large[axis]]
    if not changed:
        return None
    if len(changed) > 1 or (small[changed[0]], large[changed[0]]) != (2, 3):
        raise NotApplicable("the batch is not one dimension of its own")
    return changed[0]


def stated_shapes(expected: object) -> list[tuple[int, ...]]:
    """The shapes in a structure of them, in the order of the output's tensors."""
    if is_shape(expected):
        return [expected]  # type: ignore[list-item]
    if isinstance(expected, Mapping):
        return [shape for value in expected.values() for shape in stated_shapes(value)]
    if isinstance(expected, tuple):
        return [shape for value in expected for shape in stated_shapes(value)]
    return []


def is_lazy(module: nn.Module) -> bool:
    """Whether a parameter or buffer still waits for its shape."""
    state = [*module.parameters(), *module.buffers()]
    return any(nn.parameter.is_lazy(tensor) for tensor in state)
