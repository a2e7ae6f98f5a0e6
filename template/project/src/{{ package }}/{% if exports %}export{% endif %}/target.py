"""What all targets of an export have in common, without torch: ``--help`` answers at once."""

import abc
import contextlib
import dataclasses
import importlib.util
import logging
import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from ..command import InputError, require, silence

if TYPE_CHECKING:
    from .subject import Subject

METADATA = "metadata.json"
"""Name of the metadata where they are a file of their own, inside an artefact or in its folder."""
REPORT = "export.json"
"""Name of the report in the folder of an export."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
    """How far an artefact may be from the model; None: as far as it likes."""

    difference: float | None = None
    """Greatest difference of an output, relative to the largest one where that is above 1."""
    metric_loss: float | None = None
    """How much of the task's primary metric it may lose, in the metric's own unit."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Written:
    """What a target has written into its folder."""

    files: tuple[str, ...]
    """Names of the files that make the artefact; their size is the artefact's."""
    limits: Limits
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)
    """What else there is to know, for the report."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Target(abc.ABC):
    """A form in which a model leaves the project; its fields are the command's options.

    Its module also has a function ``load(folder)``, which a fresh process calls: it returns a
    function from inputs, tensors by name, to the outputs: the tree that the model returns, or its
    leaves as a list. All of them are on the CPU.
    """

    checkpoint: Annotated[Path, tyro.conf.arg(metavar="FILE")]
    """The weights of a run: its best.pt."""

    out: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder to make, which comes whole or not at all."""

    def check(self) -> None:
        """Refuse wrong options before anything is computed."""
        for option in ("tolerance", "max_metric_loss"):
            limit = getattr(self, option, None)
            fits = limit is None or 0 <= limit < math.inf
            require(fits, f"--{option.replace('_', '-')}", limit, "a number from 0 on")
        named = self.out.name not in ("", "..")
        require(named, "--out", self.out, "a folder with a name of its own")
        if (parent := next(one for one in self.out.absolute().parents if one.exists())).is_file():
            raise InputError(f"{self.out} cannot be made: {parent} is a file.")
        if self.out.is_symlink() or self.out.exists():
            raise InputError(f"{self.out} is there already: give another --out, or remove it.")

    @abc.abstractmethod
    def write(self, subject: "Subject", folder: Path, metadata: dict[str, Any]) -> Written:
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


def require_packages(*modules: str, extra: str) -> None:
    """Refuse to start without a package, and say how to get it."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise InputError(f"{module} is not installed: run pip install -e '.[{extra}]'.")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what exporters warn of, log and print about their own code from the terminal.

    What matters shows in the comparison that follows; errors are raised as ever.
    """
    before = logging.root.manager.disable
    # They log with a traceback what they then work around.
    logging.disable(logging.ERROR)
    try:
        # torch.export prints a program as far as it came, before it raises.
        with warnings.catch_warnings(), silence():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
