"""What expressions may hold: the part of the reader that evaluates them."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from nnscaffold.check.annotations import annotated
from nnscaffold.check.events import Assign, Call, Read, Use, Where, Write
from nnscaffold.check.torch_names import (
    BUFFERS,
    DROPOUTS,
    MODULE_CONTAINERS,
    MODULES,
    NOT_TENSORS,
    PARAMETER_CONTAINERS,
    PARAMETERS,
    TENSOR_FUNCTIONS,
    TENSOR_NAMESPACES,
    UNWRITTEN,
    VIEWS,
)
from nnscaffold.check.values import CONTAINERS, TENSORS, Value, contained, register

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nnscaffold.check.events import How
    from nnscaffold.check.model import ClassModel

_GROW = frozenset({"append", "extend", "insert", "add", "update", "setdefault", "appendleft"})
_REGISTRATIONS: dict[str, How] = {
    "register_buffer": "buffer",
    "register_parameter": "parameter",
    "add_module": "module",
    "register_module": "module",
}
_SEQUENCES = {"list": "list", "tuple": "tuple", "set": "set", "frozenset": "set", "dict": "dict"}
_PASSING = frozenset({"sorted", "reversed", "iter", "filter", "next"})
_ORDERED = frozenset({"collections.OrderedDict", "collections.deque", "collections.defaultdict"})
# Methods of a module that return the module.
_SAME_MODULE = frozenset(
    {
        *("to", "cuda", "cpu", "half", "float", "double", "bfloat16", "eval", "train", "apply"),
        *("requires_grad_", "type", "to_empty", "share_memory", "xpu"),
    }
)
_COPIES = frozenset({"copy.deepcopy", "copy.copy"})
# What turns a parameter into a plain tensor without a graph.
_DETACHED = frozenset({"detach", "data", "detach_"})
# Attributes that only tensors have, as far as arguments of `forward` go.
_OF_TENSORS = frozenset(
    {
        *("shape", "size", "device", "dtype", "view", "reshape", "permute", "transpose", "ndim"),
        *("unsqueeze", "squeeze", "flatten", "contiguous", "expand", "repeat", "new_zeros", "dim"),
        *("new_ones", "new_tensor", "masked_fill", "masked_fill_", "softmax", "sigmoid", "chunk"),
        *("matmul", "detach", "clone", "mul_", "add_", "sub_", "div_", "requires_grad", "sum"),
        *("mean", "numel", "float", "half", "type_as", "argmax", "log_softmax", "abs", "pow"),
    }
)


class Expressions:
    """Evaluates expressions, and notes the calls, reads and writes in them."""

    model: ClassModel
    own: str
    scope: dict[str, list[Value]]
    where: Where

    def values_of(self, node: ast.expr | None) -> list[Value]:
        """What an expression may hold."""
        if node is None:
            return []
        evaluate = _EVALUATIONS.get(type(node))
        return evaluate(self, node) if evaluate else self._parts(node)

    def _parts(self, node: ast.AST) -> list[Value]:
        """Evaluate what is inside an expression of no interest of its own."""
        found = [
            value
            for child in ast.iter_child_nodes(node)
            if isinstance(child, ast.expr)
            for value in self.values_of(child)
        ]
        return [_derived("other", node, found)]

    def _name(self, node: ast.Name) -> list[Value]:
        if node.id in self.scope:
            return self.scope[node.id]
        names = self.model.file.names
        if node.id in names.constants and node.id not in names.imported:
            return self.model.constant(node.id)
        if node.id == self.own and self.own:
            return [Value("other", node, name="self")]
        name = names.qualified(node)
        kind = "function" if node.id in names.functions else "class"
        return [Value(kind, node, name=name)]

    def _constant(self, node: ast.Constant) -> list[Value]:
        if node.value is None:
            return [Value("none", node)]
        return [Value("text" if isinstance(node.value, str | bytes) else "number", node)]

    def _lambda(self, node: ast.Lambda) -> list[Value]:
        saved = {argument.arg: self.scope.get(argument.arg) for argument in node.args.args}
        for name in saved:
            self.scope[name] = [Value("other", node)]
        before, self.where = self.where, replace(self.where, nested=True)
        self.values_of(node.body)
        self.where = before
        for name, values in saved.items():
            if values is None:
                self.scope.pop(name, None)
            else:
                self.scope[name] = values
        return [Value("lambda", node)]

    def _display(self, node: ast.List | ast.Tuple | ast.Set) -> list[Value]:
        kind = {ast.List: "list", ast.Tuple: "tuple", ast.Set: "set"}[type(node)]
        items: list[Value] = []
        for element in node.elts:
            items += self._starred(element)
        seen: set[int] = set()
        for item in items:
            item.repeated = item.repeated or id(item) in seen
            seen.add(id(item))
        return [Value(kind, node, items=items, **_origin(items))]  # type: ignore[arg-type]

    def note_repeats(self, items: list[Value], node: ast.AST | None) -> None:
        """Note what a loop puts into a container again and again, being made outside of it."""
        for item in items:
            made = item.node
            if node is None or made is None or item.kind != "module":
                continue
            inside = node.lineno <= made.lineno <= node.end_lineno  # type: ignore[attr-defined]
            item.repeated = item.repeated or not inside or made is node

    def _starred(self, node: ast.expr) -> list[Value]:
        """What an element adds: itself, or with a star what it holds."""
        if isinstance(node, ast.Starred):
            return self.items_of(self.values_of(node.value), node)
        return self.values_of(node)

    def _dict(self, node: ast.Dict) -> list[Value]:
        items: list[Value] = []
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                items += self.items_of(self.values_of(value), value)
            else:
                self.values_of(key)
                items += self.values_of(value)
        return [Value("dict", node, items=items, **_origin(items))]

    def _comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp
    ) -> list[Value]:
        outer, self.scope = self.scope, dict(self.scope)
        before, self.where = self.where, replace(self.where, loop=node)
        for part in node.generators:
            self.bind(part.target, self.items_of(self.values_of(part.iter), part.iter), part.target)
            for test in part.ifs:
                self.values_of(test)
        if isinstance(node, ast.DictComp):
            self.values_of(node.key)
            items = self.values_of(node.value)
        else:
            items = self.values_of(node.elt)
        element = node.value if isinstance(node, ast.DictComp) else node.elt
        if isinstance(element, ast.Name) or _own_name(element, self.own):
            self.note_repeats(items, node)
        self.scope, self.where = outer, before
        kinds = {ast.SetComp: "set", ast.DictComp: "dict"}
        return [Value(kinds.get(type(node), "list"), node, items=list(items), **_origin(items))]  # type: ignore[arg-type]

    def _choice(self, node: ast.IfExp) -> list[Value]:
        self.values_of(node.test)
        return [*self.values_of(node.body), *self.values_of(node.orelse)]

    def _either(self, node: ast.BoolOp) -> list[Value]:
        return [value for part in node.values for value in self.values_of(part)]

    def _assigned(self, node: ast.NamedExpr) -> list[Value]:
        values = self.values_of(node.value)
        self.bind(node.target, values, node)
        return values

    def _binary(self, node: ast.BinOp) -> list[Value]:
        left, right = self.values_of(node.left), self.values_of(node.right)
        return self.operation(node, left, right)

    def operation(
        self, node: ast.BinOp | ast.AugAssign, left: list[Value], right: list[Value]
    ) -> list[Value]:
        """What an operator makes of two operands."""
        found = [*left, *right]
        held = [value for value in found if value.kind in CONTAINERS]
        if isinstance(node.op, ast.Mult) and held:
            items = list(contained(held, depth=1))
            for item in items:
                item.repeated = True
            return [Value("list", node, items=items)]
        if isinstance(node.op, ast.Add | ast.BitOr) and held:
            kind = held[0].kind
            return [Value(kind, node, items=[item for one in held for item in one.items])]
        self.model.uses.append(Use(found, node, "operand", self.where))
        tensor = any(value.is_tensor for value in found)
        return [_derived("tensor" if tensor else "other", node, found)]

    def _unary(self, node: ast.UnaryOp) -> list[Value]:
        found = self.values_of(node.operand)
        tensor = any(value.is_tensor for value in found) and not isinstance(node.op, ast.Not)
        return [_derived("tensor" if tensor else "other", node, found)]

    def _comparison(self, node: ast.Compare) -> list[Value]:
        found = [value for part in (node.left, *node.comparators) for value in self.values_of(part)]
        plain = all(isinstance(op, ast.Is | ast.IsNot | ast.In | ast.NotIn) for op in node.ops)
        tensor = any(value.is_tensor for value in found) and not plain
        made = _derived("tensor" if tensor else "other", node, found)
        made.detached = True
        return [made]

    def _attribute(self, node: ast.Attribute) -> list[Value]:
        if isinstance(node.value, ast.Name) and node.value.id == self.own and self.own:
            return self._own_attribute(node)
        name = self.model.file.names.qualified(node)
        root = _root(node)
        if root and root not in self.scope and (root != self.own or not self.own):
            return [Value("class", node, name=name)]
        found = self.values_of(node.value)
        for value in found:
            if value.kind == "argument" and node.attr in _OF_TENSORS:
                value.tensor_like = True
        if node.attr in _DETACHED:
            made = _derived("tensor", node, found)
            made.detached = True
            made.through_data = node.attr == "data"
            if found:
                made.source = found[0]
                made.argument = found[0].argument
            return [made]
        if any(value.is_tensor for value in found) and node.attr not in NOT_TENSORS:
            return [self._of_tensor(node.attr, node, found)]
        if node.attr in NOT_TENSORS:
            return [Value("other", node)]
        return [replace(_derived("other", node, found), name="")]

    def _own_attribute(self, node: ast.Attribute) -> list[Value]:
        self.model.reads.append(Read(node.attr, node, self.where, self.model.tick()))
        values = self.model.attributes.get(node.attr)
        if values:
            for value in values:
                value.attribute = node.attr
            return values
        if node.attr in self.model.methods:
            if self.model.is_property(node.attr):
                return self.model.run(node.attr, [], {})
            return [Value("function", node, name=f"self.{node.attr}")]
        return [Value("other", node, attribute=node.attr)]

    def _item(self, node: ast.Subscript) -> list[Value]:
        held = self.values_of(node.value)
        key = self.values_of(node.slice)
        self.model.uses.append(Use(key, node, "index", self.where))
        found: list[Value] = []
        for value in held:
            if value.kind in CONTAINERS:
                found += value.items
            elif value.kind == "module" and value.items:
                found += value.items
            elif value.is_tensor or value.kind == "argument":
                made = _derived("tensor" if value.is_tensor else "other", node, [value])
                made.argument = value.argument if value.is_tensor else ""
                made.source = value
                made.through_data = value.through_data
                found.append(made)
            elif value.kind == "class":
                found.append(value)
            else:
                found.append(_derived("other", node, [value]))
        return found or [Value("other", node)]

    def _slice(self, node: ast.Slice) -> list[Value]:
        return [
            value
            for part in (node.lower, node.upper, node.step)
            for value in self.values_of(part)
        ]

    def items_of(self, values: Iterable[Value], node: ast.AST) -> list[Value]:
        """What iterating over a value gives."""
        found: list[Value] = []
        for value in values:
            if value.kind in CONTAINERS or (value.kind == "module" and value.items):
                found += value.items
            elif value.is_tensor or value.kind == "argument":
                found.append(_derived("tensor" if value.is_tensor else "other", node, [value]))
            else:
                found.append(_derived("other", node, [value]))
        return found

    def note_assign(
        self,
        attribute: str,
        values: list[Value],
        node: ast.AST,
        value: ast.expr | None,
        how: How,
    ) -> None:
        """Note that something is assigned, registered or put into a container."""
        order = self.model.tick()
        self.model.assigns.append(Assign(attribute, values, node, value, how, self.where, order))

    # Calls.

    def _call(self, node: ast.Call) -> list[Value]:
        function = node.func
        receiver: list[Value] = []
        callee: list[Value] = []
        method = name = ""
        if isinstance(function, ast.Attribute):
            method = function.attr
            root = _root(function)
            known = root and root not in self.scope and (root != self.own or not self.own)
            name = self.model.file.names.qualified(function) if known else ""
            if not name:
                is_own = isinstance(function.value, ast.Name) and function.value.id == self.own
                if is_own and self.own:
                    callee = self._own_attribute(function)
                    receiver = [Value("other", function.value, name="self")]
                else:
                    receiver = self.values_of(function.value)
        elif isinstance(function, ast.Name) and function.id not in self.scope:
            name = self.model.file.names.qualified(function)
        else:
            callee = self.values_of(function)
        arguments: list[list[Value]] = []
        for argument in node.args:
            arguments.append(self._starred(argument))
        keywords = {
            keyword.arg or "**": self.values_of(keyword.value) for keyword in node.keywords
        }
        given = [value for values in (*arguments, *keywords.values()) for value in values]
        results = self._outcome(node, name, method, receiver, callee, arguments, keywords, given)
        self.model.calls.append(
            Call(
                *(node, name, method, receiver, arguments, keywords, results, self.where),
                self.model.tick(),
            )
        )
        return results

    def _outcome(
        self,
        node: ast.Call,
        name: str,
        method: str,
        receiver: list[Value],
        callee: list[Value],
        arguments: list[list[Value]],
        keywords: dict[str, list[Value]],
        given: list[Value],
    ) -> list[Value]:
        if receiver and receiver[0].name == "self":
            made = self._own_call(node, method, callee, arguments, keywords, given)
            if made is not None:
                return made
        if name:
            made = self._named_call(node, name, arguments, keywords, given)
            if made is not None:
                return made
        for value in callee:
            if value.kind == "class" and value.name:
                made = self._named_call(node, value.name, arguments, keywords, given)
                if made is not None:
                    return made
            if value.kind == "module":
                return [self._result_of_module(node, value, given)]
            if value.kind == "lambda" and isinstance(value.node, ast.Lambda):
                return self._of_lambda(value.node)
        if receiver:
            return self._method_call(node, method, receiver, arguments, given)
        return [_derived("other", node, [*callee, *given])]

    def _of_lambda(self, node: ast.Lambda) -> list[Value]:
        if isinstance(node.body, ast.Call):
            name = self.model.file.names.qualified(node.body.func)
            return self._named_call(node.body, name, [], {}, []) or []
        return [Value("other", node)]

    def _result_of_module(self, node: ast.AST, module: Value, given: list[Value]) -> Value:
        for value in given:
            if value.kind == "argument":
                value.tensor_like = True
        made = _derived("tensor", node, given)
        made.from_state = made.from_state or bool(module.stateful)
        return made

    def _own_call(
        self,
        node: ast.Call,
        method: str,
        callee: list[Value],
        arguments: list[list[Value]],
        keywords: dict[str, list[Value]],
        given: list[Value],
    ) -> list[Value] | None:
        how = _REGISTRATIONS.get(method)
        if how and method not in self.model.methods:
            self._registration(node, how, arguments, keywords)
            return [Value("none", node)]
        if method in self.model.methods:
            return self.model.run(method, arguments, keywords)
        if any(value.kind == "module" for value in callee):
            module = next(value for value in callee if value.kind == "module")
            return [self._result_of_module(node, module, given)]
        if method == "get_parameter":
            return [Value("parameter", node, from_state=True)]
        return None

    def _registration(
        self,
        node: ast.Call,
        how: How,
        arguments: list[list[Value]],
        keywords: dict[str, list[Value]],
    ) -> None:
        key = node.args[0] if node.args else _keyword(node, "name")
        value_node = node.args[1] if len(node.args) > 1 else None
        values = arguments[1] if len(arguments) > 1 else []
        for name in ("tensor", "param", "module"):
            if name in keywords:
                values, value_node = keywords[name], _keyword(node, name)
        attribute = "*"
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            attribute = key.value
        for value in values:
            register(value)
        if attribute != "*":
            kept: list[Value] = []
            for value in values:
                if how == "buffer":
                    kept.append(replace(value, kind="buffer", registered=True, items=[]))
                    kept[-1].from_state = False
                else:
                    kept.append(value)
            self.model.attributes[attribute] = kept or [Value("other", node, registered=True)]
        self.note_assign(attribute, values, node, value_node, how)

    def _named_call(
        self,
        node: ast.Call,
        name: str,
        arguments: list[list[Value]],
        keywords: dict[str, list[Value]],
        given: list[Value],
    ) -> list[Value] | None:
        if name in PARAMETERS:
            first = arguments[0] if arguments else keywords.get("data", [])
            unwritten = any(value.unwritten for value in first)
            made = Value("parameter", node, name=name, from_state=True, unwritten=unwritten)
            made.items = first
            return [made]
        if name in BUFFERS:
            return [Value("buffer", node, name=name, registered=True)]
        if name in MODULE_CONTAINERS or name in PARAMETER_CONTAINERS:
            items = [*contained(given), *(one for one in given if one.kind not in CONTAINERS)]
            for value in given:
                register(value)
            stateful = any(item.stateful is not False for item in items) if items else None
            made = Value("module", node, name=name, items=items, stateful=stateful)
            return [made]
        if name in MODULES or self.model.index.is_module(name):
            for value in given:
                if value.kind == "module":
                    register(value)
            return [Value("module", node, name=name, stateful=self.model.index.stateful(name))]
        if name in TENSOR_FUNCTIONS or name.startswith(TENSOR_NAMESPACES):
            return [self._tensor_function(node, name, arguments, keywords, given)]
        if name in _COPIES:
            return [replace(value, node=node, registered=False) for value in given[:1]]
        if name in _SEQUENCES or name in _ORDERED:
            kind = _SEQUENCES.get(name, "dict" if name.endswith("ict") else "list")
            items = self.items_of(arguments[0], node) if arguments else []
            items = [*items, *(value for values in keywords.values() for value in values)]
            for item in list(items):  # pairs of a key and a value
                if kind == "dict" and item.kind == "tuple":
                    items += item.items
            return [Value(kind, node, items=items, **_origin(items))]  # type: ignore[arg-type]
        if name in _PASSING:
            items = self.items_of(given, node)
            return items if name == "next" else [Value("list", node, items=items)]
        if name in ("zip", "enumerate", "map"):
            held = [self.items_of(values, node) for values in arguments]
            if name == "map":
                return [Value("list", node, items=self._mapped(node, held))]
            flat = [value for values in held for value in values]
            if name == "enumerate":
                flat = [Value("number", node), *flat]
            return [Value("list", node, items=[Value("tuple", node, items=flat)])]
        if name == "setattr" and len(arguments) == 3:
            self._setattr(node, arguments)
            return [Value("none", node)]
        if name == "getattr" and arguments:
            return self._getattr(node, arguments)
        if name in ("float", "int", "bool", "len", "str", "round", "range"):
            return [Value("number" if name != "str" else "text", node)]
        function = self.model.file.names.functions.get(name.rpartition(".")[2])
        if function is not None and name == f"{self.model.file.names.module}.{function.name}":
            for value in given:
                if value.kind == "module":
                    value.registered = value.registered or False
            return self.model.returns_of(function, node, given)
        return None

    def _mapped(self, node: ast.Call, held: list[list[Value]]) -> list[Value]:
        """What `map` makes: modules, where a class of modules is mapped."""
        first = self.values_of(node.args[0]) if node.args else []
        name = next((value.name for value in first if value.kind in ("class", "function")), "")
        made = self._named_call(node, name, held[1:], {}, []) if name else None
        return made or [Value("other", node)]

    def _setattr(self, node: ast.Call, arguments: list[list[Value]]) -> None:
        target = node.args[0]
        if not (isinstance(target, ast.Name) and target.id == self.own):
            return
        key, values = node.args[1], arguments[2]
        attribute = key.value if isinstance(key, ast.Constant) else "*"
        for value in values:
            if value.kind in ("module", "parameter"):
                register(value)
        if isinstance(attribute, str):
            self.model.attributes.setdefault(attribute, []).extend(values)
            self.note_assign(attribute, values, node, node.args[2], "setattr")

    def _getattr(self, node: ast.Call, arguments: list[list[Value]]) -> list[Value]:
        target, key = node.args[0], node.args[1] if len(node.args) > 1 else None
        if isinstance(target, ast.Name) and target.id == self.own and self.own:
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                name = ast.Attribute(target, key.value, ast.Load())
                ast.copy_location(name, node)
                return self._own_attribute(name)
            any_one = ast.copy_location(ast.Attribute(target, "*", ast.Load()), node)
            self.model.reads.append(Read("*", any_one, self.where, self.model.tick()))
        return [_derived("other", node, arguments[0])]

    def _tensor_function(
        self,
        node: ast.Call,
        name: str,
        arguments: list[list[Value]],
        keywords: dict[str, list[Value]],
        given: list[Value],
    ) -> Value:
        for value in given:
            if value.kind == "argument" and name.startswith("torch.nn.functional."):
                value.tensor_like = True
        self.model.uses.append(Use(given, node, "operand", self.where))
        held = [*given, *contained(given)]
        made = _derived("tensor", node, held)
        made.name = name
        made.unwritten = name in UNWRITTEN and not any(
            value.kind in ("list", "tuple") and value.items and name.endswith("Tensor")
            for value in given[:1]
        )
        if name == "torch.Tensor" and given and given[0].is_tensor:
            made.unwritten = False
        first = node.args[0] if node.args else None
        literal = isinstance(first, ast.Constant) and not isinstance(first.value, str)
        made.scalar = name in ("torch.tensor", "torch.as_tensor", "torch.scalar_tensor") and (
            literal or (isinstance(first, ast.UnaryOp) and isinstance(first.operand, ast.Constant))
        )
        if name in ("torch.argmax", "torch.argmin", "torch.argsort", "torch.nonzero"):
            made.detached = True
        return made

    def _method_call(
        self,
        node: ast.Call,
        method: str,
        receiver: list[Value],
        arguments: list[list[Value]],
        given: list[Value],
    ) -> list[Value]:
        found: list[Value] = []
        for value in receiver:
            if value.kind == "argument" and method in _OF_TENSORS:
                value.tensor_like = True
        for value in receiver:
            if value.kind in CONTAINERS:
                found += self._container_call(node, method, value, arguments, given)
            elif value.kind == "module":
                found += self._module_call(node, method, value, arguments, given)
            elif value.is_tensor:
                found.append(self._tensor_call(node, method, [value], given))
            elif value.kind == "class" and method == "apply":
                # A `torch.autograd.Function`, say.
                found.append(_derived("tensor", node, given))
            else:
                made = _derived("other", node, [value, *given])
                if value.kind == "argument" or value.from_input:
                    made.from_input = True
                found.append(made)
        if any(value.attribute for value in receiver) and method in _GROW:
            self._grown(node, method, receiver, given)
        return found or [Value("other", node)]

    def _grown(
        self, node: ast.Call, method: str, receiver: list[Value], given: list[Value]
    ) -> None:
        function = node.func
        if not isinstance(function, ast.Attribute):
            return
        attribute = _own_name(function.value, self.own)
        if attribute:
            value = node.args[-1] if node.args else None
            self.note_assign(attribute, given, node, value, "grow")

    def _container_call(
        self,
        node: ast.Call,
        method: str,
        value: Value,
        arguments: list[list[Value]],
        given: list[Value],
    ) -> list[Value]:
        if method in _GROW:
            if method in ("extend", "update"):
                value.items += self.items_of(given, node)
            else:
                added = arguments[-1] if arguments else []
                if node.args and isinstance(node.args[-1], ast.Name):
                    self.note_repeats(added, self.where.loop)
                value.items += added
            return list(value.items) if method == "setdefault" else [Value("none", node)]
        if method in ("values", "copy", "__iter__"):
            return [value] if method != "copy" else [replace(value, items=list(value.items))]
        if method in ("items", "keys"):
            if method == "keys":
                return [Value("list", node)]
            pair = Value("tuple", node, items=[Value("text", node), *value.items])
            return [Value("list", node, items=[pair])]
        if method in ("get", "pop", "popleft", "popitem"):
            return list(value.items)
        return [Value("other", node)]

    def _module_call(
        self,
        node: ast.Call,
        method: str,
        value: Value,
        arguments: list[list[Value]],
        given: list[Value],
    ) -> list[Value]:
        if method in _SAME_MODULE:
            return [value]
        if method in ("append", "extend", "insert", "add_module", "update", "register_module"):
            if node.args and isinstance(node.args[-1], ast.Name):
                self.note_repeats(given, self.where.loop)
            for one in given:
                register(one)
                value.items += list(contained([one])) or [one]
            return [value]
        if method in ("values", "children", "modules"):
            return [Value("list", node, items=list(value.items))]
        if method in ("items", "named_children", "named_modules"):
            pair = Value("tuple", node, items=[Value("text", node), *value.items])
            return [Value("list", node, items=[pair])]
        if method in ("parameters", "buffers"):
            return [Value("list", node, items=[Value("parameter", node, registered=True)])]
        if method in ("named_parameters",):
            pair = [Value("text", node), Value("parameter", node, registered=True)]
            return [Value("list", node, items=[Value("tuple", node, items=pair)])]
        if method in ("forward", "__call__"):
            return [self._result_of_module(node, value, given)]
        return [_derived("other", node, given)]

    def _tensor_call(
        self, node: ast.Call, method: str, receiver: list[Value], given: list[Value]
    ) -> Value:
        self.model.uses.append(Use([*receiver, *given], node, "operand", self.where))
        if method.endswith("_") and not method.endswith("__") and method != "requires_grad_":
            self.model.writes.append(Write(receiver, node, "method", self.where, method))
            return receiver[0]
        if method == "requires_grad_":
            return receiver[0]
        if method in NOT_TENSORS and method not in ("type",):
            return _derived("other", node, receiver) if method == "item" else Value("other", node)
        if method == "float" and receiver[0].kind == "parameter":
            return receiver[0]
        if method in ("new", "new_empty"):
            return Value("tensor", node, unwritten=method == "new_empty")
        if method == "requires_grad":
            return receiver[0]
        made = self._of_tensor(method, node, [*receiver, *given])
        return made

    def _of_tensor(self, method: str, node: ast.AST, found: list[Value]) -> Value:
        made = _derived("tensor", node, found)
        if method in _DETACHED:
            made.detached = True
            made.argument = found[0].argument
        if method in VIEWS:
            made.argument = found[0].argument
            made.attribute = found[0].attribute
            made.source = found[0]
            made.through_data = found[0].through_data
            made.unwritten = found[0].unwritten
            made.detached = found[0].detached
        if method.startswith("new_"):
            made = Value("tensor", node)
        if method in ("argmax", "argmin", "argsort", "nonzero", "long", "int", "bool", "eq", "ne"):
            made.detached = True
        return made

    def bind(self, target: ast.expr, values: list[Value], node: ast.AST) -> None:
        """Assign to a target; the reader of statements knows how."""
        raise NotImplementedError


def _origin(items: Iterable[Value]) -> dict[str, bool]:
    return {
        "from_input": any(item.from_input for item in items),
        "from_state": any(item.from_state for item in items),
    }


def _derived(kind: str, node: ast.AST | None, found: list[Value]) -> Value:
    """A value that is computed from others."""
    made = Value(kind, node)  # type: ignore[arg-type]
    for value in found:
        if value.kind == "argument" or value.from_input or value.argument:
            made.from_input = True
        if value.detached or value.kind in ("number", "text", "none", "class"):
            continue
        if value.kind == "parameter" or value.from_state:
            made.from_state = True
    tensors = [value for value in found if value.is_tensor]
    made.detached = bool(tensors) and all(value.detached for value in tensors)
    return made


def _root(node: ast.expr) -> str:
    """The name that a chain of attributes begins with; nothing if it begins otherwise."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _own_name(node: ast.expr, own: str) -> str:
    """The attribute of `self` that an expression is, or is an item of."""
    while isinstance(node, ast.Subscript):
        node = node.value
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return node.attr if own and node.value.id == own else ""
    return ""


def _keyword(node: ast.Call, name: str) -> ast.expr | None:
    return next((keyword.value for keyword in node.keywords if keyword.arg == name), None)


_EVALUATIONS: dict[type[ast.AST], Callable[..., list[Value]]] = {
    ast.Name: Expressions._name,
    ast.Constant: Expressions._constant,
    ast.Lambda: Expressions._lambda,
    ast.List: Expressions._display,
    ast.Tuple: Expressions._display,
    ast.Set: Expressions._display,
    ast.Dict: Expressions._dict,
    ast.ListComp: Expressions._comprehension,
    ast.SetComp: Expressions._comprehension,
    ast.GeneratorExp: Expressions._comprehension,
    ast.DictComp: Expressions._comprehension,
    ast.IfExp: Expressions._choice,
    ast.BoolOp: Expressions._either,
    ast.NamedExpr: Expressions._assigned,
    ast.BinOp: Expressions._binary,
    ast.UnaryOp: Expressions._unary,
    ast.Compare: Expressions._comparison,
    ast.Attribute: Expressions._attribute,
    ast.Subscript: Expressions._item,
    ast.Slice: Expressions._slice,
    ast.Call: Expressions._call,
}
