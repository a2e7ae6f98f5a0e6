"""Runs the examples of `docs/module-contract.md`, and puts their modules under the contract.

An example says what it needs in plain Python: it assigns a module to `layer` and calls `layer` on
inputs of `batch` rows. A comment `raises KeyError: text` or `warns Warning: text` announces
what its statement does.
"""

import ast
import builtins
import re
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import ModuleType
from typing import Any, ClassVar

import module_contract
import pytest
import torch
from document import DOCUMENT_FILE, Document, Example
from module_contract import ModuleContract
from module_contract.tree import shapes
from torch import nn

PREAMBLE = "Reading the examples"  # the section whose block stands before every other one
_DEFINITIONS = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef)
_EXPECTATION = re.compile(r"  # (?P<verb>raises|warns) (?P<kind>an error|\w+)(?:: (?P<text>.+))?")


@contextmanager
def namespace(example: Example, document: Document) -> Iterator[ModuleType]:
    """Give a new module that holds the common imports, importable while the context lasts."""
    module = ModuleType(f"contract_example_{example.line}")
    importable = {
        module.__name__: module,  # pickle looks a class up under its module's name
        "tests": ModuleType("tests"),  # the repository's, of which the examples import the suite
        "tests.module_contract": module_contract,
    }
    before = {name: sys.modules.get(name) for name in importable}
    sys.modules.update(importable)
    try:
        [preamble] = (block for block in document.examples if block.heading == PREAMBLE)
        _execute(preamble.parse(), module)
        yield module
    finally:
        for name, known in before.items():
            if known is None:
                del sys.modules[name]
            else:
                sys.modules[name] = known


def run(example: Example, module: ModuleType) -> None:
    """Execute an example in a module, and hold each statement to what its comment announces."""
    lines = example.source.splitlines()
    for statement in example.parse().body:
        last_line = (statement.end_lineno or statement.lineno) - example.line
        with _announced(lines[last_line]):
            _execute(ast.Module([statement], type_ignores=[]), module)


class ExampleContract(ModuleContract):
    """The contract of an example's `layer`; it takes what the right example takes and returns."""

    opt_out: ClassVar = {"representation": "the examples leave out extra_repr to stay short"}

    def __init__(
        self,
        example: Example,
        module: ModuleType,
        right: "ExampleContract | None" = None,
    ) -> None:
        """Define what the example defines, without running what shows the bug."""
        tree = example.parse()
        definitions: list[ast.stmt] = [node for node in tree.body if isinstance(node, _DEFINITIONS)]
        _execute(ast.Module(definitions, type_ignores=[]), module)
        self._names = vars(module)
        self._layer = _built(tree)
        self._arguments: list[ast.expr] = right._arguments if right else _called(tree)
        self._right = right or self

    def build(self) -> nn.Module:
        """Build the module as the example does."""
        layer: nn.Module = eval(_expression(self._layer), self._names)
        return layer

    def inputs(self, batch: int) -> tuple[Any, ...]:
        """Evaluate the arguments of the right example's call for that many rows."""
        names = {**self._names, "batch": batch}
        return tuple(eval(_expression(argument), names) for argument in self._arguments)

    def output_shape(self, batch: int) -> object:
        """Return what the right example returns."""
        with torch.no_grad():
            return shapes(self._right.build().eval()(*self.inputs(batch)))


def _built(tree: ast.Module) -> ast.expr:
    """Find the expression of `layer = ...`."""
    [found] = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "layer"
    )
    return found


def _called(tree: ast.Module) -> list[ast.expr]:
    """Find the arguments of the first `layer(...)`."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return next(call.args for call in calls if ast.unparse(call.func) == "layer")


def _expression(node: ast.expr) -> Any:
    return compile(ast.Expression(node), DOCUMENT_FILE, "eval")


def _execute(tree: ast.Module, module: ModuleType) -> None:
    exec(compile(tree, DOCUMENT_FILE, "exec"), vars(module))


def _announced(line: str) -> AbstractContextManager[object]:
    """Return what a statement must do: raise, warn, or (without a comment) neither."""
    expectation = _EXPECTATION.search(line)
    if expectation is None:
        return nullcontext()
    kind = "Exception" if expectation["kind"] == "an error" else expectation["kind"]
    text = re.escape(expectation["text"]) if expectation["text"] else None
    if expectation["verb"] == "warns":
        return pytest.warns(getattr(builtins, kind), match=text)
    return pytest.raises(getattr(builtins, kind), match=text)
