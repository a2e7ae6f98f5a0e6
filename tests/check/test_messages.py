"""What a finding says, where a rule finds more than one thing."""

from __future__ import annotations

import pytest
from rewriting import findings_of, rewritten

_CLASS = """\
from collections import OrderedDict, deque

from torch import nn


class Net(nn.Module):
    def __init__(self, width, names):
        super().__init__()
        self.layers = {held}
"""


@pytest.mark.parametrize(
    ("held", "container"),
    [
        ("[nn.Linear(width, width) for _ in range(3)]", "a plain list"),
        ("(nn.Linear(width, width) for _ in range(3))", "a generator"),
        ("(nn.Linear(width, width), nn.Linear(width, 1))", "a plain tuple"),
        ("tuple(nn.Linear(width, width) for _ in range(3))", "a plain tuple"),
        ("{nn.Linear(width, width) for _ in range(3)}", "a plain set"),
        ("{name: nn.Linear(width, width) for name in names}", "a plain dict"),
        ("OrderedDict((name, nn.Linear(width, width)) for name in names)", "a plain OrderedDict"),
        ("deque([nn.Linear(width, width)])", "a plain deque"),
        ("map(nn.Linear, names, names)", "an iterator"),
        ("iter([nn.Linear(width, width)])", "an iterator"),
    ],
)
def test_modules_in_a_container_are_said_to_be_in_what_they_are_in(
    held: str, container: str
) -> None:
    (found,) = (one for one in findings_of(_CLASS.format(held=held)) if one.rule.code == "NN103")
    assert found.message.startswith(f"`self.layers` keeps modules in {container}: ")


_WITHOUT_PARENTHESES = """\
from torch import nn


class Net(nn.Module):
    def __init__(self, width):
        {call}
        self.linear = nn.Linear(width, width)
"""


@pytest.mark.parametrize(
    ("named", "fixed"),
    [
        ("super().__init__", "super().__init__()"),
        ("super(Net, self).__init__", "super(Net, self).__init__()"),
        ("nn.Module.__init__", None),  # which would need `self`
    ],
)
def test_a_constructor_that_is_named_and_not_called_is_said_to_be(
    named: str, fixed: str | None
) -> None:
    text = _WITHOUT_PARENTHESES.format(call=named)
    (found,) = (one for one in findings_of(text) if one.rule.code == "NN101")
    assert found.message == f"`{named}` without parentheses calls nothing"
    assert (found.fix is not None) is (fixed is not None)
    if fixed is not None:
        assert rewritten(text)[0] == _WITHOUT_PARENTHESES.format(call=fixed)


def test_a_constructor_that_needs_arguments_is_left_to_its_author() -> None:
    text = """\
from torch import nn


class Base(nn.Module):
    def __init__(self, width):
        super().__init__()


class Net(Base):
    def __init__(self, width):
        super().__init__
"""
    (found,) = (one for one in findings_of(text) if one.rule.code == "NN101")
    assert found.fix is None


def test_keys_that_a_parameter_dict_has_for_methods_are_not_wrapped() -> None:
    text = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scales = {{"{key}": nn.Parameter(torch.ones(width))}}
"""
    assert "ParameterDict" in rewritten(text.format(key="first"))[0]
    assert "ParameterDict" not in rewritten(text.format(key="get"))[0]
