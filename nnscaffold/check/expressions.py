"""What expressions may hold: the part of the reader that evaluates them."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from nnscaffold.check.events import Assign, Call, Guard, Read, Use, Where, Write
from nnscaffold.check.syntax import attribute_under, is_given, keyword, root_name
from nnscaffold.check.torch_names import (
    BUFFERS,
    FACTORIES,
    MODULE_CONTAINERS,
    MODULES,
    NOT_TENSORS,
    PARAMETER_CONTAINERS,
    PARAMETERS,
    REGISTRATIONS,
    TENSOR_FUNCTIONS,
    TENSOR_NAMESPACES,
    UNWRITTEN,
    VIEWS,
)
from nnscaffold.check.values import CONTAINERS, Value, attach, contained, register

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nnscaffold.check.events import How
    from nnscaffold.check.model import ClassModel

_GROW = frozenset({"append", "extend", "insert", "add", "update", "setdefault", "appendleft"})
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
# Norms that have no state without their affine parameters.
_NORMS = {
    "torch.nn.LayerNorm": "elementwise_affine",
    "torch.nn.RMSNorm": "elementwise_affine",
    "torch.nn.GroupNorm": "affine",
}
# What turns a parameter into a plain tensor without a graph.
_DETACHED = frozenset({"detach", "data", "detach_"})
# Attributes that only tensors have, as far as arguments of `forward` go.
_OF_TENSORS = frozenset(
    {
        *("shape", "size", "device", "dtype", "view", "ndim", "contiguous", "expand", "repeat"),
        *(
            "new_zeros",
            "new_ones",
            "new_full",
            "new_tensor",
            "masked_fill_",
            "dim",
            "requires_grad",
        ),
        *("numel", "float", "half", "type_as", "unfold", "view_as", "expand_as", "detach", "cpu"),
        *("fill_", "log_softmax", "chunk", "T", "mT", "to_sparse", "bool", "long", "softmax"),
        *(name.removeprefix("torch.") for name in TENSOR_FUNCTIONS),
    }
) - {*("sort", "index", "count", "copy", "add", "split", "round", "take", "real", "imag", "unique")}
# Functions that have no gradient.
_WITHOUT_GRADIENT = frozenset(
    {
        *("argmax", "argmin", "argsort", "nonzero"),
        *("histc", "bincount", "bucketize", "searchsorted"),
    }
)
_DTYPES = frozenset(
    {
        *("float", "float16", "float32", "float64", "half", "double", "bfloat16", "long", "int"),
        *("int8", "int16", "int32", "int64", "uint8", "bool", "complex64"),
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
        return [self.derived("other", node, found)]

    def _name(self, node: ast.Name) -> list[Value]:
        if node.id in self.scope:
            return self.scope[node.id]
        names = self.model.file.names
        if node.id in names.constants and node.id not in names.imported:
            return self.model.constant(node.id)
        if node.id == self.own and self.own:
            return [Value("other", node, name="self")]
        name = names.qualified(node)
        is_function = node.id in names.functions
        return [Value("function" if is_function else "class", node, name=name)]

    def _constant(self, node: ast.Constant) -> list[Value]:
        if node.value is None:
            return [Value("none", node)]
        return [Value("text" if isinstance(node.value, str | bytes) else "number", node)]

    def _lambda(self, node: ast.Lambda) -> list[Value]:
        saved = {argument.arg: self.scope.get(argument.arg) for argument in node.args.args}
        for name in saved:
            self.scope[name] = [Value("other", node)]
        # A text that is made late is that of an error, or of a log.
        fails = self.where.fails or isinstance(node.body, ast.JoinedStr)
        before, self.where = self.where, replace(self.where, nested=True, fails=fails)
        given = self.values_of(node.body)
        self.where = before
        for name, values in saved.items():
            if values is None:
                self.scope.pop(name, None)
            else:
                self.scope[name] = values
        return [Value("lambda", node, items=given)]

    def _display(self, node: ast.List | ast.Tuple | ast.Set) -> list[Value]:
        kind = {ast.List: "list", ast.Tuple: "tuple", ast.Set: "set"}[type(node)]
        parts = [self._starred(element) for element in node.elts]
        items = [item for part in parts for item in part]
        self.note_twice(node.elts, node)
        made = _container(kind, node, items)
        if kind == "tuple" and not any(isinstance(one, ast.Starred) for one in node.elts):
            made.parts = parts
        return [made]

    def note_repeats(
        self, items: list[Value], node: ast.AST | None, at: ast.AST | None = None
    ) -> None:
        """Note what a loop puts into a container again and again, being made outside of it."""
        for item in items:
            made = item.node
            if node is None or made is None or item.kind != "module" or item.registered:
                continue  # what is registered already is only looked up again
            inside = node.lineno <= made.lineno <= node.end_lineno  # type: ignore[attr-defined]
            if not inside and item.repeated is None:
                item.repeated = at or node

    def note_twice(self, elements: list[ast.expr], node: ast.AST) -> None:
        """Note the modules whose name stands twice among some elements."""
        seen: set[str] = set()
        for element in elements:
            name = element.id if isinstance(element, ast.Name) else ""
            if isinstance(element, ast.Attribute):
                name = attribute_under(element, self.own)
            if name and name in seen:
                for value in self.values_of(element):
                    value.repeated = value.repeated or node
            seen.add(name)

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
        self.note_twice(node.values, node)
        return [_container("dict", node, items)]

    def _comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp
    ) -> list[Value]:
        outer, self.scope = self.scope, dict(self.scope)
        before, self.where = self.where, replace(self.where, loop=node)
        visited: list[Value] = []
        for part in node.generators:
            each = self.items_of(self.values_of(part.iter), part.iter)
            visited = [*each, *contained(each)]
            self.bind(part.target, each, part.target)
            for test in part.ifs:
                self.values_of(test)
        if isinstance(node, ast.DictComp):
            self.values_of(node.key)
            items = self.values_of(node.value)
        else:
            items = self.values_of(node.elt)
        # What the innermost loop goes through comes once.
        self.note_repeats([one for one in items if one not in visited], node)
        self.scope, self.where = outer, before
        kinds = {ast.SetComp: "set", ast.DictComp: "dict"}
        return [_container(kinds.get(type(node), "list"), node, list(items))]

    def _choice(self, node: ast.IfExp) -> list[Value]:
        self.decide(node.test, node)
        before = self.where
        self.where = replace(before, guards=(*before.guards, Guard(node.test, holds=True)))
        values = list(self.values_of(node.body))
        self.where = replace(before, guards=(*before.guards, Guard(node.test, holds=False)))
        values += self.values_of(node.orelse)
        self.where = before
        return values

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
                item.repeated = node
            return [Value("list", node, items=items)]
        if isinstance(node.op, ast.Add | ast.BitOr) and held:
            kind = held[0].kind
            return [Value(kind, node, items=[item for one in held for item in one.items])]
        if found and all(value.kind == "number" for value in found):
            return [Value("number", node)]
        self.model.uses.append(Use(found, node, "operand", self.where))
        tensor = any(value.is_tensor for value in found)
        return [self.derived("tensor" if tensor else "other", node, found)]

    def _unary(self, node: ast.UnaryOp) -> list[Value]:
        found = self.values_of(node.operand)
        tensor = any(value.is_tensor for value in found) and not isinstance(node.op, ast.Not)
        return [self.derived("tensor" if tensor else "other", node, found)]

    def _comparison(self, node: ast.Compare) -> list[Value]:
        found = [value for part in (node.left, *node.comparators) for value in self.values_of(part)]
        plain = all(isinstance(op, ast.Is | ast.IsNot | ast.In | ast.NotIn) for op in node.ops)
        tensor = any(value.is_tensor for value in found) and not plain
        made = self.derived("tensor" if tensor else "other", node, found)
        made.detached = True
        return [made]

    def _attribute(self, node: ast.Attribute) -> list[Value]:
        if isinstance(node.value, ast.Name) and node.value.id == self.own and self.own:
            return self._own_attribute(node)
        name = self.model.file.names.qualified(node)
        root = root_name(node)
        if root and root not in self.scope and (root != self.own or not self.own):
            return [Value("class", node, name=name)]
        found = self.values_of(node.value)
        for value in found:
            if value.kind == "argument" and node.attr in _OF_TENSORS:
                value.tensor_like = True
        if node.attr in _DETACHED:
            made = self.derived("tensor", node, found)
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
        made = self.derived("other", node, found)
        owner = next((value for value in found if value.kind == "module" and value.attribute), None)
        if owner is not None:
            made.attribute = f"{owner.attribute}.{node.attr}"
            if node.attr in ("weight", "bias"):
                made.kind, made.from_state, made.registered = "parameter", True, True
        return [made]

    def _own_attribute(self, node: ast.Attribute) -> list[Value]:
        self.model.reads.append(Read(node.attr, node, self.where, self.model.tick()))
        values = self.model.attributes.get(node.attr)
        if values:
            for value in values:
                value.attribute = node.attr
            return [self._seen_later(value, node) for value in values]
        if node.attr in self.model.methods:
            if self.model.is_property(node.attr):
                return self.model.run(node.attr, [], {}, self.where)
            return [Value("function", node, name=f"self.{node.attr}")]
        return [Value("other", node, attribute=node.attr)]

    def _seen_later(self, value: Value, node: ast.AST) -> Value:
        """What a method sees of an argument that another one left on `self`."""
        owner = value.argument.partition(".")[0]
        if value.kind != "argument" or owner == self.where.function:
            return value
        return Value("other", node, attribute=value.attribute)

    def _item(self, node: ast.Subscript) -> list[Value]:
        held = self.values_of(node.value)
        key = self.values_of(node.slice)
        self.model.uses.append(Use(key, node, "index", self.where))
        found: list[Value] = []
        for value in held:
            if value.kind in CONTAINERS and isinstance(node.slice, ast.Slice):
                found.append(_container(value.kind, node, [*value.items, *value.late]))
            elif value.kind in CONTAINERS:
                found += [*value.items, *value.late]
            elif value.kind == "module" and value.items and isinstance(node.slice, ast.Slice):
                found.append(value)  # a ModuleList of the same modules
            elif value.kind == "module" and value.items:
                found += value.items
            elif value.is_tensor or value.kind == "argument":
                if isinstance(node.slice, ast.Slice | ast.Tuple):
                    value.tensor_like = value.tensor_like or isinstance(node.slice, ast.Tuple)
                made = self.derived("tensor" if value.is_tensor else "other", node, [value])
                made.argument = value.argument if value.is_tensor else ""
                made.source = value
                made.through_data = value.through_data
                if isinstance(node.slice, ast.Constant) and all(map(_is_row, value.makers)):
                    made.makers, made.scalar = value.makers, bool(value.makers)
                found.append(made)
            elif value.kind == "class":
                found.append(value)
            else:
                found.append(self.derived("other", node, [value]))
        return found or [Value("other", node)]

    def _slice(self, node: ast.Slice) -> list[Value]:
        return [
            value for part in (node.lower, node.upper, node.step) for value in self.values_of(part)
        ]

    def decide(self, test: ast.expr, node: ast.AST) -> None:
        """Evaluate a condition, and note that its value decides what runs."""
        self.model.decisions.append(Use(self.values_of(test), node, "operand", self.where))

    def put(self, container: Value, items: list[Value]) -> None:
        """Put something into a container: early, or after the module was built."""
        late = container.attribute and self.where.function in self.model.after_construction
        (container.late if late else container.items).extend(items)

    def items_of(self, values: Iterable[Value], node: ast.AST) -> list[Value]:
        """What iterating over a value gives."""
        found: list[Value] = []
        for value in values:
            if value.kind in CONTAINERS or (value.kind == "module" and value.items):
                found += [*value.items, *value.late]
            elif value.is_tensor or value.kind == "argument":
                made = self.derived("tensor" if value.is_tensor else "other", node, [value])
                made.source = value if value.is_tensor else None
                found.append(made)
            else:
                found.append(self.derived("other", node, [value]))
        return found

    def note_assign(
        self,
        attribute: str,
        values: list[Value],
        node: ast.stmt | ast.expr,
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
            root = root_name(function)
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
        keywords = {keyword.arg or "**": self.values_of(keyword.value) for keyword in node.keywords}
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
                return self._of_lambda(value.node, node) or value.items
            if value.kind == "lambda" and value.items:
                # Each call makes another one.
                return [
                    replace(one, node=node, repeated=None) if one.kind == "module" else one
                    for one in value.items
                ]
        if receiver and receiver[0].name != "self":
            return self._method_call(node, method, receiver, arguments, given)
        result = self.derived("other", node, [*callee, *given])
        injected = any(value.kind == "other" and value.attribute for value in callee)
        if injected and result.from_input and self.where.function in self.model.in_forward:
            # A module, or a function, that the constructor was given.
            result.kind = "tensor"
        return [result]

    def _of_lambda(self, node: ast.Lambda, call: ast.Call) -> list[Value]:
        if isinstance(node.body, ast.Call):
            name = self.model.file.names.qualified(node.body.func)
            made = self._named_call(node.body, name, [], {}, []) or []
            return [replace(value, node=call) for value in made]
        return []

    def _result_of_module(self, node: ast.expr, module: Value, given: list[Value]) -> Value:
        for value in given:
            if value.kind == "argument":
                value.tensor_like = True
        if isinstance(module.node, ast.Call) and is_given(module.node, "inplace", True):
            self.model.writes.append(Write(given, node, "method", self.where, "inplace=True"))
        made = self.derived("tensor", node, given)
        made.from_state = made.from_state or bool(module.stateful)
        if module.stateful is not False:
            self.model.met.update(id(maker) for value in given for maker in value.makers)
            made.makers = ()
            made.from_input = True
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
        how = REGISTRATIONS.get(method)
        if how and method not in self.model.methods:
            self._registration(node, how, arguments, keywords)
            return [Value("none", node)]
        if method in self.model.methods:
            made = self.model.run(method, arguments, keywords, self.where)
            # Each call makes another one, unless it returns what `self` has.
            fresh = (value.kind == "module" and not value.attribute for value in made)
            return [
                replace(value, node=node, repeated=None) if new else value
                for value, new in zip(made, fresh, strict=True)
            ]
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
        key = node.args[0] if node.args else keyword(node, "name")
        value_node = node.args[1] if len(node.args) > 1 else None
        values = arguments[1] if len(arguments) > 1 else []
        for name in ("tensor", "param", "module"):
            if name in keywords:
                values, value_node = keywords[name], keyword(node, name)
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
                    kept[-1].from_state, kept[-1].makers = False, ()
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
            self.note_twice(node.args, node)
            for value in given:
                register(value)
            stateful = any(item.stateful is not False for item in items) if items else None
            made = Value("module", node, name=name, items=items, stateful=stateful)
            return [made]
        if name in MODULES or self.model.index.is_module(name):
            for value in given:
                if value.kind == "module":
                    register(value)
            stateful = self.model.index.stateful(name)
            if name in _NORMS and is_given(node, _NORMS[name], False):
                stateful = False
            return [Value("module", node, name=name, stateful=stateful)]
        plain = name.removesuffix("_")
        if plain in TENSOR_FUNCTIONS or name.startswith(TENSOR_NAMESPACES):
            return [self._tensor_function(node, name, arguments, keywords, given)]
        if name == "copy.deepcopy":
            return [replace(value, node=node, registered=False) for value in given]
        if name == "copy.copy":
            return given  # which shares the parameters
        if name == "dict.fromkeys" and len(arguments) > 1:
            for value in arguments[1]:
                value.repeated = node
            return [Value("dict", node, items=arguments[1])]
        if name in _SEQUENCES or name in _ORDERED:
            kind = _SEQUENCES.get(name, "dict" if name.endswith("ict") else "list")
            items = self.items_of(arguments[0], node) if arguments else []
            items += [value for value in given if value.kind == "lambda"]
            items = [*items, *(value for values in keywords.values() for value in values)]
            for item in list(items):  # pairs of a key and a value
                if kind == "dict" and item.kind == "tuple":
                    items += item.items
            return [_container(kind, node, items)]
        if name in _PASSING:
            items = self.items_of(given, node)
            return items if name == "next" else [Value("list", node, items=items)]
        if name in ("zip", "enumerate", "map"):
            held = [self.items_of(values, node) for values in arguments]
            if name == "map":
                return [Value("list", node, items=self._mapped(node, held))]
            if name == "enumerate":
                held = [[Value("number", node)], *held[:1]]
            flat = [value for values in held for value in values]
            pair = Value("tuple", node, items=flat, parts=held)
            return [Value("list", node, items=[pair])]
        if name == "setattr" and len(arguments) == 3:
            self._setattr(node, arguments)
            return [Value("none", node)]
        if name == "getattr" and arguments:
            return self._getattr(node, arguments)
        if name in ("float", "int", "bool", "len", "str", "round", "range"):
            return [Value("number" if name != "str" else "text", node)]
        if name.startswith("torch.distributions.") and any(one.is_tensor for one in given):
            return [Value("tuple", node, name=name, items=given)]
        if name == "functools.partial":
            kept = [one for one in given if one.kind in ("module", "parameter", "lambda")]
            return [Value("tuple", node, name=name, items=kept)] if kept else None
        facts = self.model.index.facts(name)
        if facts is not None and facts.is_record:
            return [Value("tuple", node, name=name, items=given)]
        if facts is not None:
            return [Value("other", node, name=name)]
        function = self.model.file.names.functions.get(name.rpartition(".")[2])
        if function is not None and name == f"{self.model.file.names.module}.{function.name}":
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
        key, values = node.args[1], arguments[2]
        child = attribute_under(target, self.own)
        if child and isinstance(key, ast.Constant) and isinstance(key.value, str):
            self.note_assign(f"{child}.{key.value}", values, node, node.args[2], "setattr")
        if not (isinstance(target, ast.Name) and target.id == self.own):
            return
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
            if any(one.attribute == "*" and one.how == "buffer" for one in self.model.assigns):
                return [Value("buffer", node, registered=True)]
        return [self.derived("other", node, arguments[0])]

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
        first = arguments[0] if arguments else []
        in_place = name.endswith("_") or is_given(node, "inplace", True)
        for written, how in ((keywords.get("out", []), "out"), (first if in_place else [], name)):
            if written:
                for value in written:
                    value.tensor_like = value.tensor_like or value.kind == "argument"
                called = how if how == "out" else f"{name.rpartition('.')[2]}"
                self.model.writes.append(Write(written, node, "method", self.where, called))
        held = [*given, *contained(given)]
        # How many indices are drawn does not decide where they are.
        operands = first if name == "torch.multinomial" else held
        made = self.derived("tensor", node, operands)
        if name in FACTORIES and name not in ("torch.tensor", "torch.as_tensor"):
            # Sizes may come from an input; the values do not.
            made = Value("tensor", node)
        made.name = name
        if name in FACTORIES and not any(value.is_tensor for value in held):
            known = {keyword.arg for keyword in node.keywords}
            placed = known & {"device", "out", None} or "torch.device" in self.where.contexts
            device = keyword(node, "device")
            on_cpu = isinstance(device, ast.Constant) and device.value == "cpu"
            made.makers = (made,) if on_cpu or not placed else ()
        made.unwritten = name in UNWRITTEN and not any(
            value.kind in ("list", "tuple") and value.items and name.endswith("Tensor")
            for value in given[:1]
        )
        if name == "torch.Tensor" and given and given[0].is_tensor:
            made.unwritten = False
        data = node.args[0] if node.args else None
        literal = isinstance(data, ast.Constant) and not isinstance(data.value, str)
        literal = literal or (bool(first) and all(value.kind == "number" for value in first))
        made.scalar = name in ("torch.tensor", "torch.as_tensor", "torch.scalar_tensor") and (
            literal or (isinstance(data, ast.UnaryOp) and isinstance(data.operand, ast.Constant))
        )
        if name.removeprefix("torch.") in _WITHOUT_GRADIENT:
            made.detached = True
        if name.endswith("_like"):
            made.detached = True  # until something with a graph is written into it
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
        in_place = method.endswith("_") and not method.endswith("__")
        for value in receiver:
            if value.kind == "argument" and (method in _OF_TENSORS or in_place):
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
                found.append(self.derived("tensor", node, given))
            else:
                made = self.derived("other", node, [value, *given])
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
        attribute = attribute_under(function.value, self.own)
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
                self.put(value, self.items_of(given, node))
            else:
                added = arguments[-1] if arguments else []
                self.note_repeats(added, self.where.loop, node)
                self.put(value, added)
            return list(value.items) if method == "setdefault" else [Value("none", node)]
        if method in ("values", "copy", "__iter__"):
            return [value] if method != "copy" else [replace(value, items=list(value.items))]
        if method in ("items", "keys"):
            if method == "keys":
                return [Value("list", node)]
            pair = Value("tuple", node, items=[Value("text", node), *value.items])
            return [Value("list", node, items=[pair])]
        if method in ("get", "pop", "popleft", "popitem"):
            return [*value.items, *value.late]
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
            self.note_repeats(given, self.where.loop, node)
            for one in given:
                register(one)
                value.items += list(contained([one])) or [one]
            return [value]
        if method in ("values", "children", "modules"):
            return [Value("list", node, items=list(value.items))]
        if method in ("items", "named_children", "named_modules"):
            named = Value("tuple", node, items=[Value("text", node), *value.items])
            return [Value("list", node, items=[named])]
        if method in ("parameters", "buffers"):
            return [Value("list", node, items=[Value("parameter", node, registered=True)])]
        if method in ("named_parameters",):
            pair = [Value("text", node), Value("parameter", node, registered=True)]
            return [Value("list", node, items=[Value("tuple", node, items=pair)])]
        if method in ("forward", "__call__"):
            return [self._result_of_module(node, value, given)]
        return [self.derived("other", node, given)]

    def _tensor_call(
        self, node: ast.Call, method: str, receiver: list[Value], given: list[Value]
    ) -> Value:
        self.model.uses.append(Use([*receiver, *given], node, "operand", self.where))
        if method.endswith("_") and not method.endswith("__") and method != "requires_grad_":
            self.model.writes.append(
                Write(receiver, node, "method", self.where, method, given=given)
            )
            attach(receiver, given)
            return receiver[0]
        if method == "requires_grad_":
            return receiver[0]
        if method.startswith("is_") and method != "is_nonzero":
            return Value("other", node)
        if method in NOT_TENSORS and method not in ("type",):
            return (
                self.derived("other", node, receiver) if method == "item" else Value("other", node)
            )
        if method == "float" and receiver[0].kind == "parameter":
            made_of = receiver[0].items[0].node if receiver[0].items else None
            if not _names_dtype(made_of):
                return receiver[0]  # of float32, which is what parameters are made of
        if method in ("new", "new_empty"):
            return Value("tensor", node, unwritten=method == "new_empty")
        return self._of_tensor(method, node, [*receiver, *given])

    def _of_tensor(self, method: str, node: ast.AST, found: list[Value]) -> Value:
        moves = method in ("to", "type_as", "cuda", "cpu", "xpu") and _may_move(method, node)
        made = self.derived("tensor", node, found[:1] if moves else found)
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
        if moves:
            made.makers = ()
        if method in ("argmax", "argmin", "argsort", "nonzero", "long", "int", "bool", "eq", "ne"):
            made.detached = True
        return made

    def derived(self, kind: str, node: ast.AST | None, found: list[Value]) -> Value:
        """A value that is computed from others, which may meet on different devices."""
        made = _derived(kind, node, found)
        flat = [*found, *contained(found)]
        makers, moved = _meeting(flat)
        if makers and moved:
            # What has no dimension meets tensors of any device.
            self.model.met.update(
                id(maker) for value in flat if not value.scalar for maker in value.makers
            )
        elif makers and kind == "tensor":
            made.makers = makers
        return made

    def bind(self, target: ast.expr, values: list[Value], node: ast.stmt | ast.expr) -> None:
        """Assign to a target; the reader of statements knows how."""
        raise NotImplementedError


def _meeting(found: list[Value]) -> tuple[tuple[Value, ...], bool]:
    """The factories behind some operands, and whether others of them follow the module's device."""
    makers = tuple({id(maker): maker for value in found for maker in value.makers}.values())
    moved = any(
        not value.makers
        and (value.kind in ("parameter", "buffer") or (value.is_tensor and _follows(value)))
        for value in found
    )
    return makers, moved


def _is_row(maker: Value) -> bool:
    """Whether a factory is called with one number, so that its tensor has one dimension."""
    call = maker.node
    return (
        isinstance(call, ast.Call)
        and len(call.args) == 1
        and isinstance(call.args[0], ast.Constant)
    )


def _follows(value: Value) -> bool:
    return value.from_input or value.from_state or bool(value.argument)


def _container(kind: str, node: ast.AST, items: list[Value]) -> Value:
    return Value(
        kind,  # type: ignore[arg-type]
        node,
        items=items,
        from_input=any(item.from_input for item in items),
        from_state=any(item.from_state for item in items),
    )


def _derived(kind: str, node: ast.AST | None, found: list[Value]) -> Value:
    """A value that is computed from others."""
    made = Value(kind, node)  # type: ignore[arg-type]
    for value in found:
        if value.kind in ("number", "text", "none", "class"):
            continue
        if value.kind == "argument" or value.from_input or value.argument:
            made.from_input = True
        if value.detached:
            continue
        if value.kind == "parameter" or value.from_state:
            made.from_state = True
    tensors = [value for value in found if value.is_tensor]
    made.detached = bool(tensors) and not any(value.has_graph for value in tensors)
    return made


def _may_move(method: str, node: ast.AST) -> bool:
    """Whether a call may bring a tensor to another device: `.to(torch.float32)` does not."""
    if method != "to" or not isinstance(node, ast.Call):
        return True
    given = [*node.args, *(keyword.value for keyword in node.keywords)]
    return not all(
        isinstance(one, ast.Attribute) and (one.attr == "dtype" or one.attr in _DTYPES)
        for one in given
    )


def _names_dtype(node: ast.AST | None) -> bool:
    """Whether an expression names a dtype of floating point that is not float32."""
    return any(
        isinstance(part, ast.Attribute)
        and part.attr in ("float64", "double", "half", "float16", "bfloat16")
        for part in (ast.walk(node) if node is not None else ())
    )


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
