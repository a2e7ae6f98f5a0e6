"""What half precision loses: tables that a cast rounds, constants, types and positions."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from .core import SOUND, Case, Findings, check
from .findings import Finding, Place, finding, require
from .lengths import lengths_of
from .training import CHOICES, cast
from .tree import convert, tensors
from .watches import _PASSED_ON, place_of, running_line

_HALVES = {torch.bfloat16: 2**-8, torch.float16: 2**-11}
# Where rounding shows after many positions only.
_WAVES = {"sin", "cos", "polar"}
_LONG = 640
_NUMBERS = 100_000  # that long inputs may have in all


@check(after=SOUND)
def precision(case: Case) -> Findings:
    """In half precision it computes what it does in float32, but for rounding."""
    require(torch.get_default_dtype() is torch.float32, "float32 is not the default here")
    found: dict[str, Finding] = {}
    for one in (*cut_complex(case), *Comparison(case).findings()):
        found.setdefault(one.place or one.attribute, one)
    yield from found.values()


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
        self.promoted: dict[Place | None, str] = {}
        # What was made float32 on purpose; kept alive, so that no other takes over an identity.
        self.raised: dict[int, Tensor] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name, line = getattr(func, "__name__", ""), running_line(_PASSED_ON.__contains__)
        self.names.add(name)
        given = [tensor for _, tensor in tensors((args, kwargs))]
        for _, made in tensors(result):
            if made.dtype in _HALVES:
                self.note_half(name, line, given, made)
            elif made.dtype is torch.float32 and given:
                self.note_single(name, line, given, made)
        return result

    def note_half(self, name: str, line: Place | None, given: list[Tensor], made: Tensor) -> None:
        counted = name in ("arange", "linspace") and made.numel() > made.unique().numel()
        integers = (
            len(given) < 3 and given and not (given[0].is_floating_point() or given[0].is_complex())
        )
        cut = (
            integers
            and made.shape == given[0].shape
            and bool((made.double() != given[0].double()).any())
        )
        if counted or (cut and given[0].dtype is not torch.bool and name in _CASTS):
            self.rounded.setdefault(line, f"`{name}` rounds integers to {made.dtype}")
        if not made.isfinite().all() and all(tensor.isfinite().all() for tensor in given):
            self.infinite.setdefault(line, f"`{name}` gives infinite values in {made.dtype}")

    def note_single(self, name: str, line: Place | None, given: list[Tensor], made: Tensor) -> None:
        halves = [tensor for tensor in given if tensor.dtype in _HALVES]
        singles = [tensor for tensor in given if tensor.dtype is torch.float32]
        purposeful = not singles or any(id(tensor) in self.raised for tensor in singles)
        if halves and not purposeful:
            self.promoted.setdefault(line, f"`{name}` of {halves[0].dtype} and torch.float32")
        elif purposeful and (halves or singles):
            self.raised[id(made)] = made


_CASTS = ("to", "type", "type_as", "half", "bfloat16")


class Comparison:
    """A module in half precision beside one in float32 with the same rounded weights and inputs."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.inputs = [case.inputs()]

    def findings(self) -> Iterator[Finding]:
        """What is lost, and where."""
        for dtype, step in _HALVES.items():
            watch = HalfWatch()
            yield from self.of_type(dtype, step, self.inputs[0], watch)
            if dtype is torch.bfloat16 and watch.names & _WAVES and (long := self.long()):
                yield from self.of_type(dtype, step, long, HalfWatch())

    def long(self) -> Any:
        """Inputs of so many positions that half precision cannot count them."""
        if lengths := lengths_of(self.case):
            numbers = sum(tensor.numel() for _, tensor in tensors(lengths.inputs))
            size = min(_LONG, _NUMBERS * lengths.size // max(numbers, 1))
            return lengths.of(size) if size > max(300, lengths.size) else None
        return None

    def reference(self, dtype: torch.dtype) -> nn.Module:
        module = self.case.build(training=False)
        with torch.no_grad():
            for value in module.parameters():
                if value.is_floating_point():
                    value.copy_(value.to(dtype))
        return module

    def of_type(
        self, dtype: torch.dtype, step: float, inputs: Any, watch: HalfWatch
    ) -> Iterator[Finding]:
        """What is lost in a type of half precision, whose numbers are that far apart."""
        case, module = self.case, self.case.build(training=False)
        cast(module, dtype)
        halved = convert(inputs, lambda one: one.to(dtype) if one.is_floating_point() else one)
        single = convert(halved, lambda one: one.float() if one.is_floating_point() else one)
        reference = self.reference(dtype)
        try:
            expected = case.evaluate(reference, convert(single, Tensor.clone))
            with watch:
                actual = case.evaluate(module, halved)
        except Exception as error:
            if "without overflow" in str(error):
                problem = f"a constant is too large for {dtype}: {error}"
                fix = "Use `torch.finfo(x.dtype).min`, or a boolean mask."
                yield finding(place_of(error) or "forward", problem, "NN303", fix)
            return
        pairs = list(zip(tensors(actual, "output"), tensors(expected), strict=False))
        for (path, one), (_, other) in pairs:
            if one.dtype is torch.float32 and other.dtype is torch.float32 and watch.promoted:
                line, mixed = next(iter(watch.promoted.items()))
                problem = f"{mixed} makes {path} torch.float32"
                yield finding(line or path, problem, "NN303", _CAST)
                break
        if lost := [path for (path, one), (_, other) in pairs if is_lost(one, other)]:
            where, problem = next(iter(watch.infinite.items()), (None, ""))
            said = f"{lost[0]} is not finite in {dtype}, as it is in float32"
            fix = "Make the constant fit the type: `torch.finfo(x.dtype).min`."
            yield finding(where or lost[0], f"{problem}: {said}" if problem else said, "NN303", fix)
            return
        if watch.names & CHOICES:
            return
        noisy = self.reference(dtype)
        spread(noisy, step)
        noise = distance(case.evaluate(noisy, convert(single, Tensor.clone)), expected)
        names = list(self.rounded_tables(module, reference, single, expected, noise))
        for name, text in names:
            yield finding(name, f"a cast to {dtype} rounds it, and {text}", "NN303", _TABLE)
        found = distance(actual, expected)
        if not names and found > max(0.25, 8 * noise):
            spread_inputs = convert(
                single, lambda one: one * (1 + step) if one.is_floating_point() else one
            )
            if found < 4 * distance(case.evaluate(reference, spread_inputs), expected):
                return
            lines = watch.rounded or {None: f"differs by {found:.0%} of the largest value"}
            line, problem = next(iter(lines.items()))
            text = f"{problem}: the output differs by {found:.0%} of its largest value from float32"
            yield finding(line or "output", text, "NN303")

    def rounded_tables(
        self, module: nn.Module, reference: nn.Module, inputs: Any, expected: Any, noise: float
    ) -> Iterator[tuple[str, str]]:
        """The buffers that decide the output otherwise once they are rounded."""
        cut = {name: buffer for name, buffer in module.named_buffers() if buffer.dtype in _HALVES}
        for name, buffer in reference.named_buffers():
            if name not in cut or not buffer.is_floating_point():
                continue
            whole = buffer.clone()
            with torch.no_grad():
                buffer.copy_(cut[name])
                if torch.equal(buffer, whole):
                    continue
                changed = self.case.evaluate(reference, convert(inputs, Tensor.clone))
                buffer.copy_(whole)
            if (found := distance(changed, expected)) > max(0.03, 8 * noise):
                yield name, f"the output differs by {found:.0%} of its largest value"


_CAST = "Cast what is computed in float32 to the input's dtype: `.to(x.dtype)`."
_TABLE = "Compute it in float32 in `forward`, or keep it in float32 by an override of `_apply`."


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


@torch.no_grad()
def spread(module: nn.Module, step: float) -> None:
    """Change each weight by as much as rounding may."""
    generator = torch.Generator().manual_seed(0)
    for value in module.parameters():
        if value.is_floating_point():
            signs = torch.randint(0, 2, value.shape, generator=generator) * 2 - 1
            value.mul_(1 + step * signs.to(value))
