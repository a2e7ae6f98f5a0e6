"""What each target of an export has in common: its options, and what it says of its files."""

import abc
import dataclasses
import math
from pathlib import Path
from typing import Annotated, Any

import tyro

from ..errors import InputError
from .subject import Subject


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
    """How far an artefact may be from the model; None: as far as it likes."""

    difference: float | None = None
    """Greatest absolute difference of an output."""
    accuracy_points: float | None = None
    """Percentage points of accuracy that it may lose."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Written:
    """What a target has written into its folder."""

    files: tuple[str, ...]
    """Names of the files that make the artefact; their size is the artefact's."""
    limits: Limits
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)
    """What else there is to know, for ``export.json`` and the foot of the table."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Target(abc.ABC):
    """A form in which a model leaves the project; its fields are the command's options.

    Its file also has a function ``load(folder)``, which a fresh process calls: it returns a
    function from a batch of inputs to the outputs, both on the CPU.
    """

    checkpoint: Annotated[Path, tyro.conf.arg(metavar="FILE")]
    """The weights of a run, such as runs/digits/best.pt."""

    out: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder to make, which comes whole or not at all."""

    def check(self) -> None:
        """Refuse, before anything is computed, what cannot go well."""
        for option in ("tolerance", "max_accuracy_loss"):
            limit = getattr(self, option, 0.0)
            if not 0 <= limit < math.inf:
                name = option.replace("_", "-")
                raise InputError(f"--{name} must be a number from 0 on; it is {limit}.")
        if self.out.name in ("", ".."):
            raise InputError(f"--out must name a folder of its own; it is {self.out}.")
        if (parent := next(one for one in self.out.absolute().parents if one.exists())).is_file():
            raise InputError(f"{self.out} cannot be made: {parent} is a file.")
        if self.out.is_symlink() or self.out.exists():
            raise InputError(f"{self.out} is there already: give another --out, or remove it.")

    @abc.abstractmethod
    def write(self, subject: Subject, folder: Path, metadata: dict[str, Any]) -> Written:
        """Write the artefact into an empty folder, with the metadata in it."""

    def deliver(self, folder: Path) -> None:
        """Give the finished folder its name."""
        try:
            folder.rename(self.out)
        except OSError as error:
            if not self.out.exists():
                raise
            # It came into being meanwhile.
            raise InputError(f"{self.out} is there already: give another --out.") from error
