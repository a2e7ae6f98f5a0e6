"""The case of a class: what builds the module, and what makes the inputs of its forward."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor

from nnscaffold.contract import stated

from .annotations import annotated_inputs, required_parameters
from .constructors import Constructor, chosen_arguments
from .errors import CaseError, one_line
from .examples import Example, docstring_example
from .settings import Settings
from .shapes import RandomInputs, Shape, batch_name, shapes_in, size_of

if TYPE_CHECKING:
    from nnscaffold.contract import Contract

    from .targets import Target

# Where a module's class says what it leaves out, beside pyproject.toml.
OPT_OUT_ATTRIBUTE = "contract_opt_out"


def derive_case(target: Target, settings: Settings | None = None) -> Contract:
    """Find out how a module is built and called.

    Args:
        target: The class.
        settings: What is stated about it.

    Raises:
        CaseError: Something is missing, or what is stated does not fit.
    """
    said = settings or Settings()
    stated_in_code = getattr(target.kind, OPT_OUT_ATTRIBUTE, {})
    if not isinstance(stated_in_code, Mapping):
        raise CaseError(f"{target.name}: {OPT_OUT_ATTRIBUTE} has to map checks to reasons")
    example = docstring_example(target.kind)
    constructor = constructor_of(target, said, example)
    inputs = inputs_of(target, said, example, constructor)
    return stated(
        constructor,
        inputs,
        opt_out={**stated_in_code, **said.opt_out},
        output_shape=output_shape_of(said, inputs, constructor),
        parameter_count=said.parameter_count,
        torchscript=said.torchscript,
    )


def constructor_of(target: Target, said: Settings, example: Example | None) -> Constructor:
    """Who builds it: with what is stated, or what the example gives, or what can be chosen."""
    if said.args is not None:
        try:
            return Constructor(target.kind, said.args, said.kwargs)
        except CaseError as error:
            raise CaseError(
                f"{target.name}: {error}; see args and kwargs {table(target)}"
            ) from None
    if example and example.constructor:
        return Constructor(target.kind, *example.constructor)
    try:
        chosen = chosen_arguments(target.kind)
    except CaseError as missing:
        how = f"call it {example_hint(example)}, or set kwargs = {{...}} {table(target)}"
        raise CaseError(f"{target.name}: nothing gives {missing}; {how}") from None
    constructor = Constructor(target.kind, (), chosen)
    if chosen:
        refuse_misfits(target, constructor)
    return constructor


def refuse_misfits(target: Target, constructor: Constructor) -> None:
    """Blame nobody for arguments that we have chosen."""
    try:
        constructor()
    except ValueError as error:
        values = ", ".join(f"{name}={value!r}" for name, value in constructor.kwargs.items())
        raise CaseError(
            f"{target.name}: does not take the arguments chosen for it, {values} "
            f"({one_line(error)}); set kwargs = {{...}} {table(target)}"
        ) from None
    except Exception:  # a fault of the module's, for the checks to name
        return


def inputs_of(
    target: Target,
    said: Settings,
    example: Example | None,
    constructor: Constructor,
) -> Any:
    """What makes forward's arguments, or an example of them."""
    sizes = dict(constructor.sizes)
    try:
        tree = said.inputs if said.inputs is not None else annotated_inputs(target.kind)
        if tree is not None:
            return RandomInputs(tree, observed(target, example, tree, sizes) | sizes)
    except CaseError as error:
        raise CaseError(f"{target.name}: {error}; {state_inputs(target)}") from None
    if example and example.call:
        args, kwargs = example.call
        return bound(target, example) if kwargs else args
    needed = [one.name for one in required_parameters(target.kind.forward)]
    if len(needed) == 1 and "in_features" in sizes:
        return RandomInputs((Shape(("batch", "in_features")),), sizes)
    listed = ", ".join(f"`{name}`" for name in needed)
    raise CaseError(
        f"{target.name}: nothing gives the shape of forward's {listed}; "
        f"{state_inputs(target, example)}"
    )


def bound(target: Target, example: Example) -> dict[str, Any]:
    """The arguments by name with which an example calls the module."""
    args, kwargs = example.call or ((), {})
    signature = inspect.signature(target.kind.forward)
    try:
        return dict(list(signature.bind(None, *args, **kwargs).arguments.items())[1:])
    except TypeError as error:
        raise CaseError(f"the docstring's example calls forward wrongly: {error}") from None


def observed(
    target: Target,
    example: Example | None,
    tree: Any,
    known: Mapping[str, int],
) -> dict[str, int]:
    """The sizes that an example shows of dimensions with a name; the batch may have any."""
    given = bound(target, example) if example and example.call else {}
    batch = batch_name(shapes_in(tree), known)
    sizes: dict[str, int] = {}
    for name, shape in tree.items() if isinstance(tree, dict) else ():
        tensor = given.get(name)
        if isinstance(shape, Shape) and isinstance(tensor, Tensor):
            alike = len(shape.dims) == tensor.dim()
            sizes |= dict(zip(shape.dims, tensor.shape, strict=True)) if alike else {}
    return {name: size for name, size in sizes.items() if name.isidentifier() and name != batch}


def output_shape_of(said: Settings, inputs: Any, constructor: Constructor) -> Any:
    """The stated shape, in the sizes of the inputs."""
    shape = said.output_shape
    if shape is None:
        return None
    drawn = inputs if isinstance(inputs, RandomInputs) else None
    sizes = drawn.sizes if drawn else constructor.sizes
    sizes_of = functools.partial(sizes_for, shape, sizes, (drawn and drawn.batch) or "batch")
    sizes_of(2)
    return sizes_of


def sizes_for(shape: Shape, known: dict[str, int], name: str, batch: int) -> tuple[int, ...]:
    """The sizes of a shape for that many samples."""
    return tuple(size_of(dim, known | {name: batch}) for dim in shape.dims)


def table(target: Target) -> str:
    """Where a module's table is."""
    return f'under [tool.nnscaffold.contract."{target.name}"] in pyproject.toml'


def example_hint(example: Example | None) -> str:
    """Where an example goes, or why the one that is there does not help."""
    if example and example.error:
        return f"in the docstring's example (it raises {example.error})"
    return "in an example of the docstring"


def state_inputs(target: Target, example: Example | None = None) -> str:
    """How a user says what forward takes."""
    names = [one.name for one in required_parameters(target.kind.forward)] or ["x"]
    entries = ", ".join(f'{name} = "float32[batch, 10]"' for name in names)
    annotation = 'annotate it like Float[Tensor, "batch 10"]'
    how = f"call the module {example_hint(example)}, or set inputs = {{{entries}}}"
    return f"{annotation}, {how} {table(target)}"
