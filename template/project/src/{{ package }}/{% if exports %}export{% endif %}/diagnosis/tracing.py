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
    with quiet(), contextlib.suppress(Exception), torch.no_grad(), fake, seen as lines:
        model(batch)
    found: dict[Line, str] = {}
    sizes: dict[Line, int] = {}
    done = 0
    for line, count in lines:
        for guard in shapes.guards[done:count]:
            kept = [size for size in _SIZES if guard.expr.subs(symbol, size) == True]  # noqa: E712
            if guard.expr.free_symbols == {symbol} and len(kept) < len(_SIZES):
                found.setdefault(line, str(guard.expr).replace(str(symbol), "batch"))
                sizes[line] = min(len(kept), sizes.get(line, len(kept)))
        done = count
    # Beside a line that takes one size alone, one that asks for more or less is innocent: torch
    # chooses by size how it convolves, and takes both.
    only_one = {line: condition for line, condition in found.items() if sizes[line] <= 1}
    return only_one or found


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
