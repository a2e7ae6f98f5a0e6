"""What the model of a class holds once its methods were read, statement by statement."""

from __future__ import annotations

import ast
import textwrap

import pytest
from rewriting import findings_of

from nnscaffold.check.analysis import Index, Source, summarise
from nnscaffold.check.file import File
from nnscaffold.check.model import ClassModel

HEAD = "import torch\nfrom torch import nn\n\n\n"


def model_of(text: str) -> ClassModel:
    """The model of the last class of a text."""
    text = HEAD + textwrap.dedent(text)
    file = File(Source("fixture.py", "fixture", text), ast.parse(text))
    return ClassModel(file, Index([summarise(file)]), file.classes[-1])


def test_what_a_function_outside_the_class_does_is_not_the_models() -> None:
    model = model_of(
        """
        def scale(x: torch.Tensor, factor: int):
            table = torch.arange(3)
            return nn.Parameter(torch.ones(3)) * table


        class Net(nn.Module):
            def forward(self, x: torch.Tensor):
                return self.scale(scale(x, 2))

            def scale(self, x):
                return x
        """
    )
    assert model.met == set()
    assert set(model.parameter_values) == {("forward", "x"), ("scale", "x")}


def test_what_meets_the_modules_tensors_is_kept_alive() -> None:
    model = model_of(
        """
        class Net(nn.Module):
            def forward(self, x: torch.Tensor):
                x = x + torch.arange(3)
                return x
        """
    )
    assert [value.name for value in model.met] == ["torch.arange"]


def codes_of(text: str) -> list[str]:
    """The codes of what is found in a text, without those that are off by default."""
    found = findings_of(HEAD + textwrap.dedent(text))
    return [one.rule.code for one in found if one.rule.code not in ("NN601", "NN602")]


def forward(body: str) -> str:
    """A module with that body of `forward`, which is given a tensor and a number."""
    head = "class Net(nn.Module):\n    def forward(self, x: torch.Tensor, n: int):\n"
    return head + textwrap.indent(textwrap.dedent(body).strip(), " " * 8)


@pytest.mark.parametrize(
    ("subject", "pattern", "changed"),
    [
        ("x", "y", "y"),
        ("x", "torch.Tensor() as y", "y"),
        ("(n, x)", "(_, y)", "y"),
        ("[x, n]", "[y, *_]", "y"),
        ("(x, x)", "(_, *y)", "y[0]"),
        ('{"a": x}', '{"a": y}', "y"),
        ('{"a": x}', '{"b": _, **y}', 'y["a"]'),
        ("(x, n)", "(y, 2) | (y, 3)", "y"),
    ],
)
def test_a_pattern_binds_what_it_matches(subject: str, pattern: str, changed: str) -> None:
    text = f"match {subject}:\n    case {pattern}:\n        {changed}.add_(1)\nreturn x"
    assert codes_of(forward(text)) == ["NN401"]


def test_a_pattern_hides_what_its_name_held_before() -> None:
    body = """
        y = x
        match n:
            case complex(real=y):
                y.add_(1)
        return x
    """
    assert codes_of(forward(body)) == []


def test_a_case_does_not_see_what_another_one_bound() -> None:
    body = """
        y = x + 1
        match n:
            case 1:
                y = x
            case 2:
                y.add_(1)
        return x
    """
    assert codes_of(forward(body)) == []


def test_a_case_for_everything_leaves_nothing_as_it_was() -> None:
    body = """
        match n:
            case 1:
                x = x.clone()
            case _:
                x = x + 1
        return x.add_(1)
    """
    assert codes_of(forward(body)) == []
    assert codes_of(forward(body.replace("case _", "case 2"))) == ["NN401"]


def test_the_guard_of_a_case_decides_what_runs() -> None:
    body = """
        match n:
            case 1 if x.sum() > 0:
                return x
        return x + 1
    """
    assert codes_of(forward(body)) == ["NN404"]


def test_what_runs_under_the_guard_of_a_case_knows_it() -> None:
    body = """
        match n:
            case 1 if self.training:
                return F.dropout(x)
        return x
    """
    imported = "import torch.nn.functional as F\n\n\n"
    assert codes_of(imported + forward(body)) == []
    assert codes_of(imported + forward(body.replace(" if self.training", ""))) == ["NN402"]


@pytest.mark.parametrize("block", ["body", "handler", "else", "finally"])
def test_all_blocks_of_try_with_groups_are_read(block: str) -> None:
    blocks = dict.fromkeys(("body", "handler", "else", "finally"), "pass") | {block: "x.add_(1)"}
    text = (
        f"try:\n    {blocks['body']}\nexcept* ValueError:\n    {blocks['handler']}\n"
        f"else:\n    {blocks['else']}\nfinally:\n    {blocks['finally']}\nreturn x"
    )
    assert codes_of(forward(text)) == ["NN401"]


def test_a_method_in_a_branch_of_the_class_is_read() -> None:
    text = """
        class Net(nn.Module):
            if hasattr(torch, "compile"):
                def forward(self, x: torch.Tensor):
                    return x.add_(1)
            else:
                def reset(self):
                    pass
    """
    assert codes_of(text) == ["NN401"]


def test_what_each_definition_of_a_method_uses_is_used() -> None:
    text = """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.a = nn.Linear(2, 2)
                self.b = nn.Linear(2, 2)

            if hasattr(torch, "compile"):
                def forward(self, x):
                    return self.a(x)
            else:
                def forward(self, x):
                    return self.b(x)
    """
    assert codes_of(text) == []


def test_a_list_that_holds_itself_is_read_to_an_end() -> None:
    text = """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                pair, other = [nn.Linear(2, 2)], []
                pair.append(other)
                other.append(pair)
                self.pair = pair

            def forward(self, x):
                return self.pair[0](x)
    """
    assert "NN103" in [one.rule.code for one in findings_of(HEAD + textwrap.dedent(text))]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("x = x.relu()", "x = x.tanh()"),
        ("x = x.relu() if flag else x.tanh()", "x = x + 1"),
        ("self.x = self.x.relu()", "self.x = self.x.tanh()"),
        ("xs.append(xs[-1].relu())", "xs.append(xs[0].tanh())"),
    ],
)
def test_what_branches_may_leave_does_not_double_for_ever(first: str, second: str) -> None:
    branch = f"\n    if flag:\n        {first}\n    else:\n        {second}"
    body = (
        "def forward(self, x: torch.Tensor, flag: bool):\n    xs = [x]\n    self.x = x"
        + branch * 60
    )
    model = model_of("class Net(nn.Module):\n" + textwrap.indent(body, "    "))
    held = max(len(values) for values in model.attributes.values())
    assert held <= 64
    assert len(model.calls) < 10_000


@pytest.mark.parametrize(
    "body",
    [
        # What is put into a container is put into no other name.
        "first, *rest = sizes; rest.append(torch.ones(3)); self.first = first",
        "n = 3; t = dict.fromkeys(['a'], n); t['b'] = torch.ones(3); self.n = n",
        # Each place has its own.
        "self.none, self.a = self.setup(), (torch.ones(2) if sizes else None)",
    ],
)
def test_places_of_an_assignment_are_told_apart(body: str) -> None:
    text = f"""
        class Net(nn.Module):
            def __init__(self, *sizes):
                super().__init__()
                {body}

            def setup(self):
                pass
    """
    names = [one.name for one in findings_of(HEAD + textwrap.dedent(text))]
    assert not {"Net.first", "Net.n", "Net.none"} & {*names}


def test_an_error_is_no_tensor_of_the_same_name() -> None:
    text = """
        class Net(nn.Module):
            def __init__(self, path):
                super().__init__()
                e = torch.ones(2)
                try:
                    open(path)
                except OSError as e:
                    self.error = e
    """
    assert codes_of(text) == []


@pytest.mark.parametrize(
    "inner",
    [
        "def inner(*x): x[0].add_(1)",
        "def inner(**x): x['x'].add_(1)",
        "inner = lambda *x: x[0].add_(1)",
        "inner = lambda *, x: x.add_(1)",
        "inner = lambda x, /: x.add_(1)",
    ],
)
def test_a_function_inside_has_parameters_of_its_own(inner: str) -> None:
    text = f"""
        class Net(nn.Module):
            def forward(self, x: torch.Tensor):
                {inner}
                return inner
    """
    assert codes_of(text) == []


def test_what_a_module_holds_does_not_depend_on_what_was_asked_before() -> None:
    cycle = """
        class A(nn.Module):
            def __init__(self, depth):
                super().__init__()
                if depth:
                    self.b = B(depth - 1)
                self.linear = nn.Linear(2, 2)

            def forward(self, x):
                return x


        class B(nn.Module):
            def __init__(self, depth):
                super().__init__()
                if depth:
                    self.a = A(depth - 1)

            def forward(self, x):
                return x


    """
    earlier = """
        class Earlier(nn.Module):
            def __init__(self):
                super().__init__()
                self.a = A(1)

            def forward(self, x):
                return self.a(x)


    """
    user = """
        class User(nn.Module):
            def __init__(self):
                super().__init__()
                self.one = B(1)

            def forward(self, x):
                return x
    """
    found = {
        kept: [one.name for one in findings_of(HEAD + textwrap.dedent(kept + cycle + user))]
        for kept in ("", earlier)
    }
    assert all("User.one" in names for names in found.values())
