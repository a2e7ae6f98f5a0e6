"""What happens in the methods of one class, as they are read."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nnscaffold.check.events import Assign, Call, Decision, Read, Write
    from nnscaffold.check.values import Value


class Record:
    """Events in the order of reading, and what they say of values.

    Attributes:
        assigns: What is assigned to attributes of `self`, registered or put into them.
        calls: All calls, those of functions inside methods too.
        reads: The attributes of `self` that are read.
        writes: The tensors that change in place.
        data_writes: The assignments to `.data` of something.
        decisions: What conditions of branches and loops may be.
        met: The tensors from factories that meet tensors of the module's device, or leave it.
        parameter_values: What the parameters of methods may hold, by method and name.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.assigns: list[Assign] = []
        self.calls: list[Call] = []
        self.reads: list[Read] = []
        self.writes: list[Write] = []
        self.data_writes: list[Write] = []
        self.decisions: list[Decision] = []
        self.met: set[Value] = set()
        self.parameter_values: dict[tuple[str, str], list[Value]] = {}
        self._ticks = 0

    def tick(self) -> int:
        """The next place in the order of reading."""
        self._ticks += 1
        return self._ticks

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Forget what happens within: a function outside the class does it, and not the class."""
        lists: list[list[Any]] = [self.assigns, self.calls, self.reads, self.writes]
        lists += [self.data_writes, self.decisions]
        lengths = [len(one) for one in lists]
        met, parameter_values = set(self.met), dict(self.parameter_values)
        try:
            yield
        finally:
            for one, length in zip(lists, lengths, strict=True):
                del one[length:]
            self.met, self.parameter_values = met, parameter_values
