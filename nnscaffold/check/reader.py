"""Reads the statements of a function in their order, and keeps what its names hold."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from nnscaffold.check.annotations import annotated
from nnscaffold.check.events import Guard, Where, Write
from nnscaffold.check.expressions import EVALUATIONS, operation, parts
from nnscaffold.check.frame import Frame
from nnscaffold.check.matching import bind_pattern, is_certain
from nnscaffold.check.syntax import attribute_under, called, keyword, last_name, positional
from nnscaffold.check.targets import bind
from nnscaffold.check.values import CONTAINERS, Value, attach, contained

if TYPE_CHECKING:
    from collections.abc import Callable

    from nnscaffold.check.events import How
    from nnscaffold.check.model import ClassModel
    from nnscaffold.check.syntax import Function
    from nnscaffold.check.values import Kind

_SEVERAL = ast.Tuple | ast.List


class Reader(Frame):
    """Reads one function.

    Args:
        model: The class that it is read for, which keeps the events.
        function: The function.
        where: The surroundings in which it runs.
        own: The name of `self` in it; nothing if it has none.
        scope: The names of the function around it.

    Attributes:
        returns: What it may return, as far as it was read.
    """

    def __init__(
        self,
        model: ClassModel,
        function: Function,
        *,
        where: Where,
        own: str,
        scope: dict[str, list[Value]] | None = None,
    ) -> None:
        """Prepare to read it."""
        super().__init__(model, where=where, own=own, scope=scope)
        self.function = function
        self.returns: list[Value] = []

    def values_of(self, node: ast.expr | None) -> list[Value]:
        """What an expression may hold; nothing where there is none."""
        if node is None:
            return []
        # Not a function of its own: expressions nest deeply, and so do the calls that read them.
        read = EVALUATIONS.get(type(node))
        return read(self, node) if read else parts(self, node)

    def bind(
        self,
        target: ast.expr,
        values: list[Value],
        node: ast.stmt | ast.expr,
        value: ast.expr | None = None,
    ) -> None:
        """Assign to a name, an attribute, an item or several of them."""
        bind(self, target, values, node, value)

    def run(
        self,
        arguments: list[list[Value]] | None = None,
        keywords: dict[str, list[Value]] | None = None,
    ) -> list[Value]:
        """Read it, called with these arguments, and return what it may return."""
        self._bind_parameters(arguments or [], keywords or {})
        self._block(self.function.body)
        return self.returns

    def _bind_parameters(
        self, arguments: list[list[Value]], keywords: dict[str, list[Value]]
    ) -> None:
        spec = self.function.args
        parameters = positional(self.function)
        if self.own and parameters:
            parameters = parameters[1:]
        given = dict(zip((one.arg for one in parameters), arguments, strict=False)) | keywords
        for one in (*parameters, *spec.kwonlyargs):
            known = [value for value in given.get(one.arg, ()) if value.kind != "other"]
            if known:
                self.scope[one.arg] = known
                continue
            value = annotated(one.annotation, self.model.file.names, self.model.index)
            value = value or Value("argument", one)
            value.argument = f"{self.function.name}.{one.arg}"
            for item in value.items:
                item.argument = f"{value.argument}[]"
            self.scope[one.arg] = [value]
        for one in (*parameters, *spec.kwonlyargs):
            self.model.parameter_values[self.function.name, one.arg] = self.scope[one.arg]
        self._bind_rests()
        self.read_defaults(spec)

    def _bind_rests(self) -> None:
        """Bind `*args` and `**kwargs`."""
        spec = self.function.args
        rests: tuple[tuple[ast.arg | None, Kind], ...]
        rests = ((spec.vararg, "tuple"), (spec.kwarg, "dict"))
        for rest, kind in rests:
            if rest:
                value = annotated(rest.annotation, self.model.file.names, self.model.index)
                item = value or Value("argument", rest)
                item.argument = f"{self.function.name}.{rest.arg}"
                self.scope[rest.arg] = [Value(kind, rest, items=[item])]

    # Statements.

    def _block(self, body: list[ast.stmt]) -> None:
        before = self.where
        for statement in body:
            read = _STATEMENTS.get(type(statement))
            if read:
                read(self, statement)
            if isinstance(statement, ast.If) and _ends(statement.body):
                guard = Guard(statement.test, holds=False)
                self.where = replace(self.where, guards=(*self.where.guards, guard))
        self.where = before

    def _inside(
        self,
        body: list[ast.stmt],
        *,
        may_skip: bool = True,
        guard: Guard | None = None,
        loop: ast.AST | None = None,
    ) -> dict[str, list[Value]]:
        """Read a block that may not run, in surroundings of its own.

        Args:
            body: The block.
            may_skip: Whether what follows sees the names as they were, too.
            guard: The condition under which it runs.
            loop: The loop that runs it.

        Returns:
            What the names hold after the block; nothing where it never ends.
        """
        before, scope = self.where, self.scope
        fails = before.fails or _fails(body)
        guards = (*before.guards, guard) if guard else before.guards
        self.where = replace(before, guards=guards, loop=loop or before.loop, fails=fails)
        self.scope = dict(scope)
        self.branch += 1
        self._block(body)
        self.branch -= 1
        after = {} if body and isinstance(body[-1], ast.Return | ast.Raise) else self.scope
        self.where, self.scope = before, scope
        if may_skip:
            self.join(scope, after)
        return after

    def _expression(self, node: ast.Expr) -> None:
        self.values_of(node.value)

    def _assign(self, node: ast.Assign) -> None:
        values = self.values_of(node.value)
        for target in node.targets:
            self.bind(target, values, node, node.value)

    def _annotated(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.bind(node.target, self.values_of(node.value), node, node.value)

    def _augmented(self, node: ast.AugAssign) -> None:
        held, added = self.values_of(node.target), self.values_of(node.value)
        containers = [value for value in held if value.kind in CONTAINERS]
        if containers and isinstance(node.op, ast.Add | ast.BitOr):
            for value in containers:
                self.put(value, self.items_of(added, node))
        attribute = attribute_under(node.target, self.own)
        if attribute:
            how: How = "grow" if containers else "in-place"
            self.note_assign(attribute, added, node, node.value, how)
            if containers:
                return
        if any(value.is_tensor or value.kind == "argument" for value in held):
            self.model.writes.append(Write(held, node, "operator", self.where, given=added))
            attach(held, added)
            return
        if not containers and isinstance(node.target, ast.Name):
            # Of a tensor it is in place; a number becomes another one.
            self.scope[node.target.id] = operation(self, node, held, added)

    def _return(self, node: ast.Return) -> None:
        values = self.values_of(node.value)
        self.returns += values
        if self.where.function == "forward" and not self.where.nested:
            # A tensor that leaves the module on the default device.
            made = [*values, *contained(values)]
            makers = [maker for value in made for maker in value.makers]
            self.model.met.update(one for one in makers if not _counts_places(one.node))

    def _for(self, node: ast.For | ast.AsyncFor) -> None:
        items = self.items_of(self.values_of(node.iter), node.iter)
        before, self.scope = self.scope, dict(self.scope)
        self.bind(node.target, items, node)
        after = self._inside(node.body, may_skip=False, loop=node)
        self.join(before, self.scope, after)
        self._inside(node.orelse)

    def _while(self, node: ast.While) -> None:
        self.decide(node.test, node)
        self._inside(node.body, loop=node)
        self._inside(node.orelse)

    def _if(self, node: ast.If) -> None:
        self.decide(node.test, node)
        body = self._inside(node.body, may_skip=False, guard=Guard(node.test, holds=True))
        orelse = self.scope
        if node.orelse:
            guard = Guard(node.test, holds=False)
            orelse = self._inside(node.orelse, may_skip=False, guard=guard)
        if body or orelse:
            self.join(body, orelse)

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        entered = []
        no_grad = self.where.no_grad
        for item in node.items:
            context = item.context_expr
            values = self.values_of(context)
            entered.append(self.model.file.names.qualified(called(context)))
            no_grad = no_grad or self.model.file.names.disables_gradients(context)
            if item.optional_vars is not None:
                self.bind(item.optional_vars, values, node)
        before = self.where
        contexts = (*before.contexts, *entered)
        self.where = replace(before, no_grad=no_grad, contexts=contexts)
        self._block(node.body)
        self.where = before

    def _try(self, node: ast.Try | ast.TryStar) -> None:
        self._block(node.body)
        for handler in node.handlers:
            self.values_of(handler.type)
            before = self.scope
            if handler.name:
                self.scope = {**before, handler.name: [Value("other", handler)]}
            after = self._inside(handler.body, may_skip=False)
            after.pop(handler.name or "", None)  # Python forgets the error, too
            self.join(before, after)
        self._block(node.orelse)
        self._block(node.finalbody)

    def _match(self, node: ast.Match) -> None:
        subject = self.values_of(node.subject)
        before = self.scope
        ends = [] if any(map(is_certain, node.cases)) else [before]
        for case in node.cases:
            self.scope = dict(before)
            bind_pattern(self, case.pattern, subject, node)
            guard = None
            if case.guard is not None:
                self.decide(case.guard, case.guard)
                guard = Guard(case.guard, holds=True)
            after = self._inside(case.body, may_skip=False, guard=guard)
            if after:
                ends.append(after)
        self.join(*(ends or [before]))

    def _define(self, node: Function) -> None:
        """A function inside the method: it sees the method's names, and may run or not."""
        defined = Value("lambda", node)
        self.scope[node.name] = [defined]
        where = replace(self.where, nested=True)
        inner = Reader(self.model, node, where=where, own="", scope=self.scope)
        inner.own = self.own
        inner.scope.pop(self.own, None)
        self.read_defaults(node.args)
        for one in (*positional(node), *node.args.kwonlyargs):
            value = annotated(one.annotation, self.model.file.names, self.model.index)
            inner.scope[one.arg] = [
                value or Value("argument", one, argument=f"{node.name}.{one.arg}")
            ]
            if one.arg == self.own:
                inner.own = ""
        inner._bind_rests()
        inner.branch = 1
        inner._block(node.body)
        defined.items = inner.returns

    def _delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            attribute = attribute_under(target, self.own)
            if attribute and isinstance(target, ast.Attribute):
                self.model.attributes.pop(attribute, None)
                self.model.deleted.add(attribute)

    def _raise(self, node: ast.Raise) -> None:
        self.values_of(node.exc)

    def _assert(self, node: ast.Assert) -> None:
        self.values_of(node.test)


def _counts_places(made: ast.AST | None) -> bool:
    """Whether a factory is asked for integers, which serve as an index: a matcher's result."""
    dtype = keyword(made, "dtype") if isinstance(made, ast.Call) else None
    return isinstance(dtype, ast.Attribute) and dtype.attr in ("int64", "long")


def _fails(body: list[ast.stmt]) -> bool:
    """Whether a block ends with an error: `raise`, or `assert False` in one of its forms."""
    last = body[-1] if body else None
    test: ast.expr | None = last.test if isinstance(last, ast.Assert) else None
    call = last.value if isinstance(last, ast.Expr) else None
    if isinstance(call, ast.Call) and call.args and last_name(call.func) in ("_assert", "_check"):
        test = call.args[0]
    false = isinstance(test, ast.Constant) and test.value is False
    return isinstance(last, ast.Raise) or false


def _ends(body: list[ast.stmt]) -> bool:
    return bool(body) and isinstance(body[-1], ast.Return | ast.Raise | ast.Continue | ast.Break)


_STATEMENTS: dict[type[ast.stmt], Callable[..., None]] = {
    ast.Expr: Reader._expression,
    ast.Assign: Reader._assign,
    ast.AnnAssign: Reader._annotated,
    ast.AugAssign: Reader._augmented,
    ast.Return: Reader._return,
    ast.For: Reader._for,
    ast.AsyncFor: Reader._for,
    ast.While: Reader._while,
    ast.If: Reader._if,
    ast.With: Reader._with,
    ast.AsyncWith: Reader._with,
    ast.Try: Reader._try,
    ast.TryStar: Reader._try,
    ast.Match: Reader._match,
    ast.FunctionDef: Reader._define,
    ast.AsyncFunctionDef: Reader._define,
    ast.Delete: Reader._delete,
    ast.Raise: Reader._raise,
    ast.Assert: Reader._assert,
}
