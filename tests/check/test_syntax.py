"""The walk through a tree leaves out nothing that a rule could ask for."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nnscaffold.check.syntax import walk

if TYPE_CHECKING:
    from collections.abc import Iterable

FILES = sorted((Path(__file__).parent / "corpus").glob("NN*/*.py"))
SOME_OF_EACH = """
async def main(a, /, *b: int, c=1, **d) -> None:
    match a:
        case [1, *rest] if rest:
            pass
        case {"k": v, **more} | v:
            break_ = not (a < 1 <= c) or -a @ v
    try:
        async with a as b, c: await b
    except* ValueError as error:
        raise error from None
    return lambda x: [y async for y in x if y][::2], f"{a!r:>{c}}", (z := {**d}), {*b}
"""


def seen(nodes: Iterable[ast.AST]) -> list[ast.AST]:
    """The nodes with something inside, and statements: no contexts, no operators."""
    return [one for one in nodes if one._fields or isinstance(one, ast.stmt)]


@pytest.mark.parametrize(
    "text",
    [SOME_OF_EACH, *(file.read_text(encoding="utf-8") for file in FILES)],
    ids=["some-of-each", *(f"{file.parent.name}-{file.stem}" for file in FILES)],
)
def test_it_gives_what_ast_gives_in_the_same_order(text: str) -> None:
    tree = ast.parse(text)
    assert seen(walk(tree)) == seen(ast.walk(tree))
