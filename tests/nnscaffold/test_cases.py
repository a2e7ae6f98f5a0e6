"""How a module is built and called is found out from what its author wrote."""

from __future__ import annotations

import importlib
import itertools
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from nnscaffold.cases import CaseError, derive_case, find_targets, read_settings
from nnscaffold.cases.annotations import jaxtyped, shape_of
from nnscaffold.cases.shapes import RandomInputs, Shape, read_shape
from nnscaffold.contract import check_module

if TYPE_CHECKING:
    from nnscaffold.contract import Contract

Define = Callable[[str], str]
HEAD = "import torch\nfrom torch import Tensor, nn\n"
_NUMBERS = itertools.count()


@pytest.fixture
def define(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Define]:
    """Write a file of modules that can be imported; return its name."""
    monkeypatch.syspath_prepend(tmp_path)
    written = []

    def write(code: str, head: str = HEAD) -> str:
        name = f"defined_{next(_NUMBERS)}"
        (tmp_path / f"{name}.py").write_text(head + textwrap.dedent(code))
        importlib.invalidate_caches()
        written.append(name)
        return name

    yield write
    for name in written:
        sys.modules.pop(name, None)


def case_of(name: str, table: str = "", folder: Path | None = None) -> Contract:
    """The case of a class, with what pyproject.toml says of it."""
    settings = {}
    if folder:
        text = f'[tool.nnscaffold.contract."{name}"]\n{textwrap.dedent(table)}'
        (folder / "pyproject.toml").write_text(text)
        settings = read_settings(folder / "pyproject.toml")
    (target,) = find_targets(name)
    return derive_case(target, settings.get(name))


def sizes(contract: Contract, batch: int) -> Any:
    """The sizes of the inputs."""
    inputs = contract.inputs(batch)
    if isinstance(inputs, dict):
        return {name: tuple(value.shape) for name, value in inputs.items()}
    return tuple(tuple(value.shape) for value in inputs)


def refusal(name: str, table: str = "", folder: Path | None = None) -> str:
    """Why there is no case: one line."""
    with pytest.raises(CaseError) as error:
        case_of(name, table, folder)
    assert "\n" not in str(error.value)
    return str(error.value).removeprefix(f"{name}: ")


BODY = """
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)
"""


# From the docstring's example.


@pytest.mark.parametrize(
    "example",
    [
        ">>> layer = Layer(8)\n>>> layer(torch.randn(2, 8)).shape\ntorch.Size([2, 8])",
        "Example::\n\n    >>> layer = Layer(8)\n    >>> layer(torch.randn(2, 8))",
        "Example::\n\n    layer = Layer(width=8)\n    layer(torch.randn(2, 8))\n    is_not.reached",
        "Examples:\n    >>> for size in (2, 3):\n    ...     Layer(8)(torch.randn(size, 8))",
    ],
)
def test_an_example_gives_the_constructor_s_and_forward_s_arguments(
    example: str, define: Define
) -> None:
    code = (
        f'class Layer(nn.Module):\n    """A layer.\n\n{textwrap.indent(example, "    ")}\n    """\n'
    )
    file = define(f"{code}\n    def __init__(self, width):{BODY}")
    contract = case_of(f"{file}:Layer")
    assert sizes(contract, 2) == ((2, 8),)
    assert sizes(contract, 3) == ((3, 8),)
    assert contract.build().linear.in_features == 8
    assert check_module(contract.build, contract.inputs) == []


def test_an_example_may_name_arguments_and_hold_modules(define: Define) -> None:
    file = define(f'''
        class Inner(nn.Module):
            def __init__(self):
                {textwrap.indent(BODY, "        ").strip()}

        class Outer(nn.Module):
            """Calls another one.

            >>> outer = Outer(Inner(), scale=2.0)
            >>> outer(torch.zeros(2, 8), shift=torch.ones(2, 8))
            """

            def __init__(self, inner, scale):
                super().__init__()
                self.inner, self.scale = inner, scale

            def forward(self, x, shift):
                return self.scale * self.inner(x) + shift
    ''')
    contract = case_of(f"{file}:Outer")
    assert sizes(contract, 3) == {"x": (3, 8), "shift": (3, 8)}
    first, second = contract.build(), contract.build()
    assert first.scale == second.scale == 2.0
    assert first.inner is not second.inner


def test_a_broken_example_is_named(define: Define) -> None:
    file = define('''
        class Layer(nn.Module):
            """A layer.

            >>> Layer("key")(nothing)
            """

            def __init__(self, key):
                super().__init__()

            def forward(self, x):
                return x
    ''')
    said = refusal(f"{file}:Layer")
    assert said.startswith("nothing gives the shape of forward's `x`; ")
    assert "NameError: name 'nothing' is not defined" in said


# From annotations.


def test_annotations_need_no_jaxtyping(define: Define) -> None:
    head = f"from __future__ import annotations\nfrom typing import TYPE_CHECKING\n{HEAD}"
    file = define(
        """
        if TYPE_CHECKING:
            from jaxtyping import Bool, Float, Int

        class Layer(nn.Module):
            def __init__(self, dim: int, num_heads: int, dropout: float, *, bias: bool) -> None:
                super().__init__()
                self.linear = nn.Linear(dim, dim, bias)

            def forward(
                self,
                x: Float[Tensor, "batch length dim"],
                ids: Int[Tensor, "batch length"],
                mask: Bool[Tensor, "batch length"],
                scale: Float[Tensor, "2*dim"] | None = None,
            ) -> Float[Tensor, "batch length dim"]:
                return self.linear(x) + ids[..., None] * mask[..., None]
        """,
        head,
    )
    contract = case_of(f"{file}:Layer")
    assert sizes(contract, 2) == {"x": (2, 5, 8), "ids": (2, 5), "mask": (2, 5)}
    types = [value.dtype for value in contract.inputs(3).values()]
    assert types == [torch.float32, torch.int64, torch.bool]
    assert check_module(contract.build, contract.inputs) == []


class Family:
    """What jaxtyping makes of an annotation, as far as it is read here."""

    def __init__(self, name: str, dims: str) -> None:
        self.dtype, self.dim_str = type(name, (), {}), dims


def test_jaxtyping_s_own_objects_are_read() -> None:
    assert shape_of(Family("Float", "batch 3")) == Shape(("batch", "3"))
    jaxtyping = pytest.importorskip("jaxtyping")
    assert shape_of(jaxtyping.Float[torch.Tensor, "batch 3"]) == Shape(("batch", "3"))
    assert shape_of(jaxtyping.Int[torch.Tensor, "n"]) == Shape(("n",), torch.int64)


@pytest.mark.parametrize(
    ("family", "text", "shape"),
    [
        ("Float", "", Shape(())),
        ("Float", "... 4", Shape(("batch", "4"))),
        ("Float", "b ... c", Shape(("b", "c"))),
        ("Float", "*batch c", Shape(("batch", "c"))),
        ("Float32", "#b rows=3 _", Shape(("b", "3", "_"), torch.float32)),
        ("BFloat16", "n 2*c c+1", Shape(("n", "2*c", "c+1"), torch.bfloat16)),
        ("Int", "n", Shape(("n",), torch.int64)),
        ("Integer", "n", Shape(("n",), torch.int64)),
        ("UInt8", "n", Shape(("n",), torch.uint8)),
        ("Bool", "n", Shape(("n",), torch.bool)),
        ("Complex", "n", Shape(("n",), torch.complex64)),
        ("Shaped", "n", Shape(("n",))),
    ],
)
def test_jaxtyping_s_notation(family: str, text: str, shape: Shape) -> None:
    assert jaxtyped(family, text) == shape


def test_an_example_gives_sizes_to_the_names_of_annotations(define: Define) -> None:
    file = define('''
        class Layer(nn.Module):
            """A layer.

            >>> Layer(3)(torch.randn(1, 3, 32, 24))
            """

            def __init__(self, in_channels):
                super().__init__()

            def forward(self, images: 'Float[Tensor, "n channels height width"]') -> Tensor:
                return images
    ''')
    assert sizes(case_of(f"{file}:Layer"), 2) == {"images": (2, 3, 32, 24)}


# Sizes.


@pytest.mark.parametrize(
    ("tree", "known", "two"),
    [
        ((Shape(("batch", "4")),), {}, [(2, 4)]),
        ((Shape(("length", "N", "dim")),), {"dim": 6}, [(5, 2, 6)]),
        ((Shape(("rows", "dim")),), {"dim": 6}, [(2, 6)]),
        ((Shape(("a", "b1")), Shape(("b1",))), {}, [(5, 2), (2,)]),
        ((Shape(("3", "4")),), {}, [(3, 4)]),
        ((Shape(("b", "c", "h", "w")),), {"c": 3}, [(2, 3, 16, 16)]),
        ((Shape(("b", "2*d+1", "d//2")),), {"d": 4}, [(2, 9, 2)]),
        ((Shape(("b", "x", "y")),), {}, [(2, 5, 6)]),
    ],
)
def test_names_get_sizes(tree: Any, known: dict[str, int], two: Any) -> None:
    made = RandomInputs(tree, dict(known))(2)
    assert [tuple(tensor.shape) for tensor in made] == two


def test_integers_stay_below_what_is_stated() -> None:
    (tokens,) = RandomInputs((read_shape("int64[batch, 500] < vocabulary"),), {"vocabulary": 7})(4)
    assert set(tokens.unique().tolist()) == set(range(7))
    (flags,) = RandomInputs((read_shape("int32[batch, 500]"),), {})(4)
    assert flags.dtype == torch.int32
    assert set(flags.unique().tolist()) == {0, 1}


# From the constructor's own arguments.


def test_a_choice_is_made_only_where_type_and_name_make_it_safe(define: Define) -> None:
    file = define(f"""
        class Layer(nn.Module):
            def __init__(self, in_features: int, hidden_dim: int, num_layers: int = 1):
                {textwrap.indent(BODY, "        ").strip()}

        class Untyped(nn.Module):
            def __init__(self, in_features, name: str, patch_size: int, scale: float):
                {textwrap.indent(BODY, "        ").strip()}

        class Unfit(nn.Module):
            def __init__(self, dim: int, depth: int):
                raise ValueError("dim has to be odd")
    """)
    assert sizes(case_of(f"{file}:Layer"), 3) == ((3, 8),)
    said = refusal(f"{file}:Untyped")
    assert said.startswith(
        "nothing gives the constructor's `in_features`, `name`, `patch_size`, `scale`; "
        "call it in an example of the docstring, or set kwargs = {...} under [tool.nnscaffold."
    )
    assert refusal(f"{file}:Unfit").startswith(
        "does not take the arguments chosen for it, dim=8, depth=2 "
        "(ValueError: dim has to be odd); set kwargs = {...} under "
    )


# From pyproject.toml.


def test_what_is_stated_counts_first(define: Define, tmp_path: Path) -> None:
    file = define(f'''
        class Layer(nn.Module):
            """A layer.

            >>> Layer(3)(torch.randn(1, 3))
            """

            def __init__(self, width, *, bias=True):
                {textwrap.indent(BODY, "        ").strip()}
    ''')
    table = """
        args = [8]
        kwargs = {bias = false}
        inputs = {x = "float64[batch, length, width]"}
        output-shape = "[batch, length, width]"
        parameter-count = 72
        torchscript = true
        opt-out = {vmap = "never used so"}
    """
    contract = case_of(f"{file}:Layer", table, tmp_path)
    assert sizes(contract, 3) == {"x": (3, 5, 8)}
    assert contract.inputs(3)["x"].dtype == torch.float64
    assert contract.output_shape(4) == (4, 5, 8)
    assert contract.parameter_count == 72
    assert contract.torchscript
    assert contract.opt_out == {"vmap": "never used so"}


def test_inputs_may_be_trees(define: Define, tmp_path: Path) -> None:
    file = define("class Layer(nn.Module):\n    def forward(self, x, scale):\n        return x\n")
    table = 'inputs = [{left = "[batch, 2]", right = ["[batch]", "[batch, 3]"]}, 2.5]'
    tree, scale = case_of(f"{file}:Layer", table, tmp_path).inputs(2)
    assert scale == 2.5
    assert tree["left"].shape == (2, 2)
    assert [part.shape for part in tree["right"]] == [(2,), (2, 3)]


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("opt_out = {vmap = 'why'}", "{table} has no key 'opt_out'; did you mean 'opt-out'?"),
        ("modes = 'why'", "{table} has no key 'modes'; the keys are args, kwargs, inputs, "),
        ("args = 3", "{table}: args has to be an array"),
        ("torchscript = 1", "{table}: torchscript has to be a boolean"),
        ("kwargs = {widths = 3}", "Layer cannot be called so: missing a required argument"),
        ("inputs = ['batch 4']", "{table}: 'batch 4' is not a shape; write it like \"float32["),
        ("inputs = ['float31[4]']", "{table}: torch has no type 'float31', which 'float31[4]'"),
        ("inputs = ['[batch, a/b]']", "'a/b' is not a size; write a number, a name or a sum of"),
    ],
)
def test_a_wrong_statement_is_one_sentence(
    table: str, says: str, define: Define, tmp_path: Path
) -> None:
    head = "class Layer(nn.Module):\n    def __init__(self, in_features: int):"
    name = f"{define(head + BODY)}:Layer"
    said = refusal(name, table, tmp_path)
    assert said.startswith(says.replace("{table}", f'[tool.nnscaffold.contract."{name}"]'))


# Names.


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("layer:Rows", "there is no module layer in the current folder or among the installed"),
        ("json.decode:Rows", "there is no module json.decode in the current folder or among the "),
        ("json.decode:Rows", "{any}; did you mean json.decoder?"),
        ("scaffoldr:Rows", "{any}; did you mean scaffolder?"),
        ("{here}.py:Rows", "{any}; write {here}, without .py"),
        ("{here}:rows", "{here}:rows is not a subclass of torch.nn.Module, but a Rows"),
        ("json.deep:Rows", "there is no module json.deep in the current folder or among the"),
        ("{here}:Row", "{here} has no Row; did you mean Rows?"),
        ("{here}:Something", "{here} has no Something; it defines Rows, More"),
        ("{here}:NUMBER", "{here}:NUMBER is not a subclass of torch.nn.Module"),
        ("{here}:Tensor", "{here}:Tensor is not a subclass of torch.nn.Module"),
        ("no_such.py", "there is no module no_such in the current folder"),
        ("{here}.Rows", "{any}; did you mean {here}:Rows?"),
        ("{here}.Row", "{any}; did you mean {here}:Rows?"),
        ("{here}::Rows", "'{here}::Rows' has two colons; write one: {here}:Rows"),
        (
            "{here}:Rows,{here}:More",
            "'{here}:Rows,{here}:More' names more than one; repeat the option or the table for",
        ),
        ("src/layers.py:Rows", "'src/layers.py:Rows' is not of the form package.module:Class or "),
        ("layers:", "'layers:' is not of the form package.module:Class or package.module"),
        ("", "'' is not of the form package.module:Class or package.module"),
        ("json", "json defines no public nn.Module; name the file's own module, not a package"),
    ],
)
def test_a_wrong_name_is_one_sentence(name: str, says: str, define: Define) -> None:
    here = define(
        "class Rows(nn.Module):\n    pass\n\nclass _Own(Rows):\n    pass\n\n"
        "class More(Rows):\n    pass\n\nNUMBER = 3\nrows = Rows()\n"
    )
    said, says = refusal(name.replace("{here}", here)), says.replace("{here}", here)
    assert said.endswith(says[5:]) if says.startswith("{any}") else said.startswith(says)
    assert [target.name for target in find_targets(here)] == [f"{here}:Rows", f"{here}:More"]


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero ("),
        ("import sys\nsys.exit(3)", "SystemExit: 3 ("),
        ("class Rows(:", "SyntaxError: "),
        ("import nope", "ModuleNotFoundError: No module named 'nope' ("),
    ],
)
def test_a_module_that_raises_is_one_sentence(code: str, says: str, define: Define) -> None:
    name = define(code)
    assert refusal(f"{name}:Rows").startswith(f"{name} cannot be imported: {says}")
