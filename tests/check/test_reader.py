"""What the model of a class holds once its methods were read, statement by statement."""

from __future__ import annotations

import ast
import textwrap

from nnscaffold.check.analysis import Index, Source, summarise
from nnscaffold.check.file import File
from nnscaffold.check.model import ClassModel

HEAD = "import torch\nfrom torch import nn\n\n\n"


def model_of(text: str) -> ClassModel:
    """The model of the last class of a text."""
    text = HEAD + textwrap.dedent(text)
    source, tree = Source("fixture.py", "fixture", text), ast.parse(text)
    file = File(source, tree)
    return ClassModel(file, Index([summarise(source, tree)]), file.classes[-1])


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
