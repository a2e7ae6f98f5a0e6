"""What the names in a file mean, and how to spell a name in it."""

from __future__ import annotations

import ast

from nnscaffold.check.syntax import (
    Function,
    assigned,
    called,
    first_parameter,
    imported_from,
    statements,
)
from nnscaffold.check.torch_names import NO_GRAD, canonical

# Methods that Python calls on the class, decorated or not.
_OF_CLASSES = frozenset({"__new__", "__init_subclass__", "__class_getitem__"})


class Names:
    """The names that a file's top level defines.

    Args:
        module: The file's dotted name.
        is_package: Whether it is a package's `__init__`.
        tree: The file.

    Attributes:
        imported: Each imported name, and the dotted name that it stands for.
        classes: The classes of the top level, and those inside other classes and functions.
        functions: The functions of the top level.
        constants: The values assigned at the top level, the last one for each name.
        imports: The imports of the top level, in their order.
    """

    def __init__(self, module: str, *, is_package: bool, tree: ast.Module) -> None:
        """Read the file's top level, and the imports in its functions."""
        self.module = module
        self._package = module if is_package else module.rpartition(".")[0]
        self.imported: dict[str, str] = {}
        self._spellings: dict[str, str] = {}
        self.functions: dict[str, Function] = {}
        self.classes: dict[str, ast.ClassDef] = {}
        self.constants: dict[str, ast.expr] = {}
        self.imports: list[ast.Import | ast.ImportFrom] = []
        self.stars: list[str] = []
        for statement in tree.body:
            # What is imported always, and not for type checkers alone, or inside a function.
            if isinstance(statement, ast.Import | ast.ImportFrom):
                self._spellings.update(self._meanings(statement))
        for statement in statements(tree.body):
            if isinstance(statement, ast.Import | ast.ImportFrom):
                self.imports.append(statement)
                self.imported.update(self._meanings(statement))
            elif isinstance(statement, Function):
                self.functions[statement.name] = statement
            elif isinstance(statement, ast.ClassDef):
                self.classes[statement.name] = statement
            targets, value = assigned(statement)
            for target in targets:
                if isinstance(target, ast.Name) and value is not None:
                    self.constants[target.id] = value

    def add_local_import(self, statement: ast.Import | ast.ImportFrom) -> None:
        """Note what an import in a function makes known, where the top level says nothing of it."""
        for name, meaning in self._meanings(statement).items():
            self.imported.setdefault(name, meaning)

    def _meanings(self, statement: ast.Import | ast.ImportFrom) -> dict[str, str]:
        """The names that an import gives, and the dotted names that they stand for."""
        found: dict[str, str] = {}
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                root = alias.name.partition(".")[0]
                found[alias.asname or root] = alias.name if alias.asname else root
            return found
        source = imported_from(statement, self._package)
        if source is None:
            # Of a file that is in no package, as far as we see: its neighbours are.
            source = statement.module or ""
        for alias in statement.names:
            if alias.name != "*":
                found[alias.asname or alias.name] = f"{source}.{alias.name}"
            elif source not in self.stars:
                self.stars.append(source)
        return found

    def qualified(self, node: ast.expr | None) -> str:
        """The dotted name that an expression stands for, as far as imports tell; else nothing."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        parts.append(self.root(node.id))
        return canonical(".".join(reversed(parts)))

    def root(self, name: str) -> str:
        """The dotted name of a plain one."""
        if name in self.imported:
            return self.imported[name]
        if name in self.classes or name in self.functions or name in self.constants:
            return f"{self.module}.{name}"
        return name

    def function(self, name: str) -> Function | None:
        """The function of the top level with that dotted name; None if there is none."""
        owner, _, last = name.rpartition(".")
        return self.functions.get(last) if owner == self.module else None

    def decorators(self, node: Function | ast.ClassDef) -> list[str]:
        """The dotted names of the decorators of a function or class, whatever they are given."""
        return [self.qualified(called(one)) for one in node.decorator_list]

    def own_name(self, method: Function) -> str:
        """What a method calls the instance; nothing if it is not a method of instances."""
        decorators = self.decorators(method)
        if {"staticmethod", "classmethod"} & {*decorators} or method.name in _OF_CLASSES:
            return ""
        return first_parameter(method)

    def disables_gradients(self, node: ast.expr) -> bool:
        """Whether a decorator or a context turns gradients off: `torch.no_grad()`, say."""
        name = self.qualified(called(node))
        if name != "torch.set_grad_enabled" or not isinstance(node, ast.Call) or not node.args:
            return name in NO_GRAD
        return isinstance(node.args[0], ast.Constant) and node.args[0].value is False

    def spelled(self, name: str) -> tuple[str, str]:
        """How a dotted name of torch is written here, and the import to add for it, if any."""
        owner, _, last = name.rpartition(".")
        for local, meaning in self._spellings.items():
            if canonical(meaning) == name:
                return local, ""
        for local, meaning in self._spellings.items():
            if meaning == owner:
                return f"{local}.{last}", ""
        if name.startswith("torch.") and self._spellings.get("torch") == "torch":
            return name, ""
        if owner == "torch.nn":
            return f"nn.{last}", "from torch import nn"
        return name, "import torch"
