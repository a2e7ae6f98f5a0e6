"""What half precision loses: tables that a cast rounds, constants, types and positions."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from .case import Case, lengths_of
from .core import SOUND, Findings, check
from .devices import require_single
from .rules import Finding, Place, finding
from .training import CHOICES, cast
from .tree import convert, leaves, tensors
from .watches import PASSED_ON, place_of, running_line

_HALVES = {torch.bfloat16: 2**-8, torch.float16: 2**-11}
# Where rounding shows after many positions only.
_WAVES = {"sin", "cos", "polar"}
_INTEGERS = {torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64}
_CASTS = {"to", "type", "type_as", "half", "bfloat16"}
# What puts a constant into its result: as it is, or times what may be a mask.
_SCALED = {"mul", "mul_", "multiply"}
_PUT = _SCALED | {"where", "masked_fill", "masked_fill_", "fill_", "__setitem__", "full_like"}
_FIT = "Make the constant fit the type: `torch.finfo(x.dtype).min`, or use a boolean mask."
_CAST = "Cast what is computed in float32 to the input's dtype: `.to(x.dtype)`."
_TABLE = "Compute it in float32 in `forward`, or keep it in float32 by an override of `_apply`."
_LONG = 640
_NUMBERS = 100_000  # that long inputs may have in all


@check(
    SOUND,
    repeats=(
        *("NN103", "NN104", "NN106", "NN107", "NN108", "NN201", "NN206", "NN301", "NN302"),
        "NN401",
    ),
)
def precision(case: Case) -> Findings:
    """In half precision it computes what it does in float32, but for rounding."""
    require_single(case)
    found = [*cut_complex(case)]
    for dtype in _HALVES:
        watch = HalfWatch()
        found += compared(case, dtype, case.inputs(), watch)
        if dtype is torch.bfloat16 and watch.names & _WAVES and (long := long_inputs(case)):
            found += compared(case, dtype, long, HalfWatch())
    # Both types may lose the same.
    yield from {one.place or one.attribute: one for one in reversed(found)}.values()


def cut_complex(case: Case) -> Iterator[Finding]:
    """The complex buffers that `.to(dtype)` makes real."""
    whole = dict(case.build().named_buffers())
    if any(buffer.is_complex() for buffer in whole.values()):
        for name, buffer in case.build().to(torch.bfloat16).named_buffers():
            if whole[name].is_complex() and not buffer.is_complex():
                problem = "loses its imaginary part in `.to(torch.bfloat16)`"
                fix = "Keep its real and imaginary parts, or its angles, in a real buffer."
                yield finding(name, problem, "NN303", fix)


class HalfWatch(TorchFunctionMode):
    """Notes the author's lines that round integers, overflow, or leave half precision."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.rounded: dict[Place | None, str] = {}
        self.infinite: dict[Place | None, str] = {}
        self.constants: dict[Place | None, str] = {}
        self.promoted: dict[Place | None, str] = {}
        # What was made float32 on purpose; kept alive, so that no other takes over an identity.
        self.raised: dict[int, Tensor] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name, line = getattr(func, "__name__", ""), running_line(PASSED_ON.__contains__)
        self.names.add(name)
        given = [tensor for _, tensor in tensors((args, kwargs))]
        for _, made in tensors(result):
            if made.dtype in _HALVES:
                self.note_half(name, line, given, made)
                if made.dtype is torch.float16 and name in _PUT:
                    self.note_constants(name, line, given, (args, kwargs))
            elif made.dtype is torch.float32 and given:
                self.note_single(name, line, given, made)
        return result

    def note_half(self, name: str, line: Place | None, given: list[Tensor], made: Tensor) -> None:
        counted = name in ("arange", "linspace") and made.numel() > made.unique().numel()
        integers = given and given[0].dtype in _INTEGERS and name in _CASTS
        if counted or (integers and bool((made.double() != given[0]).any())):
            self.rounded.setdefault(line, f"`{name}` rounds integers to {made.dtype}")
        if not made.isfinite().all() and all(tensor.isfinite().all() for tensor in given):
            self.infinite.setdefault(line, f"`{name}` gives infinite values in {made.dtype}")

    def note_constants(self, name: str, line: Place | None, given: list[Tensor], all_: Any) -> None:
        """Note those that float16 has no room for; a mask may let none through yet: 0 * -1e9."""
        masks = all(bool(((tensor == 0) | (tensor == 1)).all()) for tensor in given)
        for _, one in leaves(all_) if masks or name not in _SCALED else ():
            if (
                isinstance(one, int | float)
                and torch.finfo(torch.float16).max < abs(one) < math.inf
            ):
                self.constants.setdefault(line, f"{one:g}, is too large for torch.float16")

    def note_single(self, name: str, line: Place | None, given: list[Tensor], made: Tensor) -> None:
        halves = [tensor for tensor in given if tensor.dtype in _HALVES]
        singles = [tensor for tensor in given if tensor.dtype is torch.float32]
        purposeful = not singles or any(id(tensor) in self.raised for tensor in singles)
        if halves and not purposeful:
            self.promoted.setdefault(line, f"`{name}` of {halves[0].dtype} and torch.float32")
        elif purposeful and (halves or singles):
            self.raised[id(made)] = made


def long_inputs(case: Case) -> Any:
    """Inputs of so many positions that half precision cannot count them."""
    if lengths := lengths_of(case):
        numbers = sum(tensor.numel() for _, tensor in tensors(lengths.inputs))
        size = min(_LONG, _NUMBERS * lengths.size // max(numbers, 1))
        return lengths.of(size) if size > max(300, lengths.size) else None
    return None


def floating(tree: Any, change: Callable[[Tensor], Tensor] = Tensor.clone) -> Any:
    """A copy, with every floating-point tensor changed."""
    return convert(tree, lambda one: change(one) if one.is_floating_point() else one.clone())


def compared(case: Case, dtype: torch.dtype, inputs: Any, watch: HalfWatch) -> Iterator[Finding]:
    """What a module in half precision loses, beside one in float32 of the same rounded weights."""
    module, reference = case.build(training=False), reweighted(case, dtype)
    cast(module, dtype)
    halved = floating(inputs, lambda one: one.to(dtype))
    single = floating(halved, Tensor.float)
    try:
        expected = case.evaluate(reference, floating(single))
        with watch:
            actual = case.evaluate(module, halved)
    except Exception as error:
        if "without overflow" in str(error):
            problem = f"a constant is too large for {dtype}: {error}"
            yield finding(place_of(error) or "forward", problem, "NN303", _FIT)
        return
    pairs = list(zip(tensors(actual, "output"), tensors(expected), strict=False))
    raised = [
        path for (path, one), (_, other) in pairs if one.dtype is other.dtype is torch.float32
    ]
    for path in raised[:1] if watch.promoted else ():
        line, mixed = next(iter(watch.promoted.items()))
        yield finding(line or path, f"{mixed} makes {path} torch.float32", "NN303", _CAST)
    for line, what in watch.constants.items():
        yield finding(line or "forward", f"a constant, {what}", "NN303", _FIT)
    if lost := [path for (path, one), (_, other) in pairs if is_lost(one, other)]:
        line, what = next(iter(watch.infinite.items()), (None, "a value overflows"))
        problem = f"{what}: {lost[0]} is not finite in {dtype}, as it is in float32"
        yield finding(line or lost[0], problem, "NN303", _FIT)
    elif not watch.names & CHOICES:
        noise = distance(
            case.evaluate(reweighted(case, dtype, spread=True), floating(single)), expected
        )
        tables = {name: one for name, one in module.named_buffers() if one.dtype in _HALVES}
        found = list(rounded_tables(case, tables, reference, single, expected, noise))
        yield from found
        lost_in_all = distance(actual, expected)
        near = floating(single, lambda one: one * (1 + _HALVES[dtype]))
        if not found and lost_in_all > max(0.25, 8 * noise):
            if lost_in_all < 4 * distance(case.evaluate(reference, near), expected):
                return  # whatever is a little different gives something else
            line, what = next(iter(watch.rounded.items()), (None, f"something is lost in {dtype}"))
            problem = f"{what}: the output differs by {lost_in_all:.0%} of its largest value"
            yield finding(line or "output", problem, "NN303")


@torch.no_grad()
def reweighted(case: Case, dtype: torch.dtype, *, spread: bool = False) -> nn.Module:
    """A module in float32 whose weights are rounded, and spread by as much as rounding may do."""
    module, generator = case.build(training=False), torch.Generator().manual_seed(0)
    for value in module.parameters():
        if value.is_floating_point():
            signs = torch.randint(0, 2, value.shape, generator=generator) * 2.0 - 1
            value.copy_(value.to(dtype) * (1 + _HALVES[dtype] * signs * spread))
    return module


def rounded_tables(
    case: Case,
    tables: dict[str, Tensor],
    reference: nn.Module,
    inputs: Any,
    expected: Any,
    noise: float,
) -> Iterator[Finding]:
    """The buffers that decide the output otherwise once they are rounded."""
    for name, buffer in reference.named_buffers():
        whole = buffer.clone()
        if name not in tables or torch.equal(tables[name].to(whole), whole):
            continue
        buffer.copy_(tables[name])
        found = distance(case.evaluate(reference, floating(inputs)), expected)
        buffer.copy_(whole)
        if found > max(0.03, 8 * noise):
            problem = f"a cast to {tables[name].dtype} rounds it: the output differs by {found:.0%}"
            yield finding(name, f"{problem} of its largest value", "NN303", _TABLE)


def is_lost(half: Tensor, single: Tensor) -> bool:
    return bool(half.is_floating_point() and single.isfinite().all() and not half.isfinite().all())


def distance(actual: Any, expected: Any) -> float:
    """The largest difference between outputs, as a part of the largest value expected."""
    found = 0.0
    for (_, one), (_, other) in zip(tensors(actual), tensors(expected), strict=False):
        if other.is_floating_point() and other.numel() and one.shape == other.shape:
            difference = (one.double() - other.double()).abs().max()
            found = max(found, float(difference / other.abs().max().clamp(min=1e-6)))
    return found
