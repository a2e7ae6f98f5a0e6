"""The docstring's example: how it constructs the class, and what it calls the module with."""

from __future__ import annotations

import contextlib
import doctest
import inspect
import io
import re
import sys
import textwrap
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

from .errors import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

_LITERAL_BLOCK = re.compile(r"(?mi)^[ \t]*examples?:{1,2}[ \t]*\n((?:[ \t]*\n|[ \t]+.*\n?)+)")


@dataclass
class Example:
    """What running an example has shown.

    Attributes:
        constructor: Arguments by position and by name, if it constructs the class.
        call: Those of forward, if it calls the module; tensors are the example's own.
        error: What it raised before it came to the call; empty if nothing.
    """

    constructor: tuple[tuple[Any, ...], dict[str, Any]] | None = None
    call: tuple[tuple[Any, ...], dict[str, Any]] | None = None
    error: str = ""


def docstring_example(kind: type[nn.Module]) -> Example | None:
    """Run the example of a class up to its first call of the module; None without one."""
    sources = statements(inspect.getdoc(kind) or "") if "__doc__" in vars(kind) else []
    if not any(kind.__name__ in source for source in sources):
        return None
    return run(kind, sources)


def statements(doc: str) -> list[str]:
    """The source in a docstring: its `>>>` lines, else the block behind `Example::`."""
    examples = doctest.DocTestParser().get_examples(doc)
    if found := [one.source for one in examples if not one.options.get(doctest.SKIP)]:
        return found
    return [textwrap.dedent(block) for block in _LITERAL_BLOCK.findall(f"{doc}\n")]


def run(kind: type[nn.Module], sources: list[str]) -> Example:
    """Execute statements until the module has been called, in a copy of its file's names."""
    names = dict(vars(sys.modules[kind.__module__])) if kind.__module__ in sys.modules else {}
    names |= {"torch": torch, "nn": nn, kind.__name__: kind, "__name__": "__example__"}
    example = Example()
    with (
        watched(kind, example),
        torch.random.fork_rng(devices=()),
        contextlib.redirect_stdout(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        for source in sources:
            try:
                exec(compile(source, "<example>", "exec"), names)
            except (Exception, SystemExit) as error:
                example.error = "" if example.call else one_line(error)
                break
            if example.call:
                break
    return example


@contextlib.contextmanager
def watched(kind: type[nn.Module], example: Example) -> Iterator[None]:
    """Note the arguments of the first module of a class that is called."""
    constructed: dict[int, tuple[tuple[Any, ...], dict[str, Any]]] = {}
    kept: list[nn.Module] = []  # so that no other object gets its identity
    initialise: Callable[..., None] = kind.__init__
    call: Any = kind.__call__

    def init(module: nn.Module, *args: Any, **kwargs: Any) -> None:
        if type(module) is kind and id(module) not in constructed:
            kept.append(module)
            constructed[id(module)] = args, kwargs
            example.constructor = example.constructor or (args, kwargs)
        initialise(module, *args, **kwargs)

    def called(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if type(module) is kind and example.call is None:
            example.call = copied(args), copied(kwargs)
            example.constructor = constructed.get(id(module), example.constructor)
        return call(module, *args, **kwargs)

    with patch.object(kind, "__init__", init), patch.object(kind, "__call__", called):
        yield


def copied(tree: Any) -> Any:
    """The same with tensors of its own, for the call may change the caller's."""
    if isinstance(tree, Tensor):
        return tree.detach().clone()
    if isinstance(tree, dict):
        return {key: copied(value) for key, value in tree.items()}
    if type(tree) in (tuple, list):
        return type(tree)(copied(value) for value in tree)
    return tree
