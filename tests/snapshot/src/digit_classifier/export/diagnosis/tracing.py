"""Places that an exporter's error leaves out: found by tracing the model once more.

What it traces with is torch's own affair and may be renamed, so nothing of it is imported before it
is used; without it a message says less, and every export runs as before.
"""

import contextlib
import re
from typing import Any

import torch
from torch import Tensor, nn

from ..noise import quiet
from .source import Line, is_own
from .watches import lines_that_change

# Tracers take batches of 0 and 1 for cases of their own, so what holds from 2 on is no limit.
_SIZES = (2, 3, 4, 5, 7, 8, 16, 17, 32, 64, 100, 1000, 10000)


def without_values() -> contextlib.AbstractContextManager[object]:
    """Return a mode in which tensors have no values; one that does nothing where torch has none."""
    try:
        from torch._subclasses.fake_tensor import FakeTensorMode
        from torch.fx.experimental.symbolic_shapes import ShapeEnv
    except ImportError:
        return contextlib.nullcontext()
    return FakeTensorMode(allow_non_fake_inputs=True, shape_env=ShapeEnv())


def batch_sizes_fixed(model: nn.Module, example: Tensor) -> dict[Line, str]:
    """Return the lines that hold for some sizes of the batch only, each with its condition."""
    with contextlib.suppress(ImportError, AttributeError):
        return _sizes_fixed(model, example)
    # Torch has changed what this looks at.
    return {}


def _sizes_fixed(model: nn.Module, example: Tensor) -> dict[Line, str]:
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.fx.experimental.symbolic_shapes import DimDynamic, ShapeEnv, StatelessSymbolicContext

    shapes = ShapeEnv()
    fake = FakeTensorMode(allow_non_fake_inputs=True, shape_env=shapes)
    rest = [DimDynamic.STATIC] * (example.dim() - 1)
    context: Any = StatelessSymbolicContext(dynamic_sizes=[DimDynamic.DYNAMIC, *rest])
    batch = fake.from_tensor(example, symbolic_context=context)
    free: Any = batch.shape[0]
    symbol = free.node.expr
    seen = lines_that_change(lambda: len(shapes.guards))
    # How far it gets is all that matters.
    tracing = (quiet(), contextlib.suppress(Exception), torch.no_grad(), fake)
    with contextlib.ExitStack() as stack:
        for mode in (*tracing, _convolutions_free(shapes)):
            stack.enter_context(mode)
        lines = stack.enter_context(seen)
        model(batch)
    found: dict[Line, str] = {}
    done = 0
    for line, count in lines:
        for guard in shapes.guards[done:count]:
            kept = [size for size in _SIZES if guard.expr.subs(symbol, size) == True]  # noqa: E712
            if guard.expr.free_symbols == {symbol} and len(kept) < len(_SIZES):
                found.setdefault(line, str(guard.expr).replace(str(symbol), "batch"))
        done = count
    return found


def _convolutions_free(shapes: Any) -> contextlib.AbstractContextManager[object]:
    """Let no convolution limit the batch: by its size torch chooses how, and takes any."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class ConvolutionsFree(TorchDispatchMode):
        def __torch_dispatch__(
            self,
            func: Any,
            types: Any,
            args: tuple[Any, ...] = (),
            kwargs: dict[str, Any] | None = None,
        ) -> Any:
            convolves = func is torch.ops.aten.convolution.default
            with shapes.suppress_guards() if convolves else contextlib.nullcontext():
                return func(*args, **(kwargs or {}))

    # Torch gives its constructor no types.
    kind: Any = ConvolutionsFree
    mode: contextlib.AbstractContextManager[object] = kind()
    return mode


def lines_of_operator(model: nn.Module, example: Tensor, name: str) -> list[Line]:
    """Return the lines that call one of torch's operators, such as `linalg_eig`."""
    with quiet():
        try:
            program = torch.export.export(model, (example,))
        except Exception:
            # What stood in the way is told already; only its place stays unknown.
            return []
    # What a composite operator consists of is called like it, with an underscore in front.
    nodes = [node for node in program.graph.nodes if name.lstrip("_") in str(node.target)]
    stacks = [node.meta.get("stack_trace") or "" for node in nodes]
    lines = [_innermost(stack) for stack in stacks]
    return list(dict.fromkeys(line for line in lines if line))


def _innermost(stack: str) -> Line | None:
    for filename, number in reversed(re.findall(r'File "(.+)", line (\d+)', stack)):
        if is_own(filename):
            return filename, int(number)
    return None
