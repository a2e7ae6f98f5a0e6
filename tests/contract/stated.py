"""A contract in one call, for modules that need no test class of their own."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from module_contract.case import Contract
from torch import nn

Inputs = Callable[[int], tuple[Any, ...]]
Shape = Callable[[int], object]


def rows(batch: int) -> tuple[torch.Tensor]:
    """The input of most modules here: rows of four values."""
    return (torch.randn(batch, 4),)


def same_rows(batch: int) -> tuple[int, int]:
    """The output of most modules here."""
    return (batch, 4)


class Stated(Contract):
    """The contract of what a function builds; `device` and `dtype` go on if it takes them."""

    strict = True

    def __init__(self, make: Callable[..., nn.Module], inputs: Inputs, shape: Shape) -> None:
        self.make = make
        self.inputs = inputs  # type: ignore[method-assign]
        self.output_shape = shape  # type: ignore[method-assign]
        if "device" in inspect.signature(make).parameters:
            self.build = self.build_with_options  # type: ignore[method-assign]
        self.found_again: tuple[Callable[[str], Contract], tuple[str]] | None = None

    def __reduce__(self) -> tuple[Callable[[str], Contract], tuple[str]]:
        """Another process looks it up: what states it has no name to be imported by."""
        if self.found_again is None:
            raise TypeError("this contract is entered nowhere")
        return self.found_again

    def build(self) -> nn.Module:
        return self.make()

    def build_with_options(self, *, device: Any = None, dtype: Any = None) -> nn.Module:
        return self.make(device=device, dtype=dtype)


def stated(
    make: Callable[..., nn.Module],
    inputs: Inputs = rows,
    shape: Shape = same_rows,
    opt_out: Mapping[str, str] | None = None,
    **options: Any,
) -> Stated:
    """State a contract; further options become its attributes."""
    contract = Stated(make, inputs, shape)
    contract.opt_out = opt_out or {}  # type: ignore[misc]
    for name, value in options.items():
        setattr(contract, name, value)
    return contract


class WithLinear(nn.Module):
    """What many modules here build on: one linear layer that keeps the width of its rows."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x)


def without(contract: Contract, check: str) -> Contract:
    """The same contract with one opt-out fewer."""
    # Not by `copy`, which asks `__reduce__` and would find the contract itself again.
    changed = object.__new__(type(contract))
    vars(changed).update(vars(contract))
    changed.opt_out = {  # type: ignore[misc]
        name: reason for name, reason in contract.opt_out.items() if name != check
    }
    return changed
