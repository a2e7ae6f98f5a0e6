"""What names mean depends on where they are imported, and so does how a fix may spell them."""

from __future__ import annotations

import textwrap

import pytest
from rewriting import findings_of, rewritten

MODULE = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(2, 2)]

    def forward(self, x):
        return self.layers[0](x)
"""


@pytest.mark.parametrize(
    "head",
    [
        "import torch\nimport typing\nif typing.TYPE_CHECKING:\n    from torch import nn\n",
        "import torch\n\n\ndef other():\n    from torch import nn\n    return nn\n",
    ],
)
def test_a_fix_spells_only_what_is_always_imported(head: str) -> None:
    text = head + MODULE.replace("nn.", "torch.nn.")
    after, fixed = rewritten(text)
    assert [one.rule.code for one in fixed] == ["NN103"]
    assert "torch.nn.ModuleList([torch.nn.Linear(2, 2)])" in after


def test_an_import_in_a_function_changes_no_other_meaning() -> None:
    local = "\n\ndef other():\n    from flax import linen as nn\n    return nn\n"
    codes = [one.rule.code for one in findings_of(f"from torch import nn\n{local}{MODULE}")]
    assert "NN103" in codes


def test_an_import_is_added_on_a_line_of_its_own() -> None:
    text = textwrap.dedent(
        """\
        import numpy as np  # type: ignore
        from torch.nn import Module, Parameter


        class Net(Module):
            def __init__(self):
                super().__init__()
                self.weights = [Parameter(np.ones(2))]

            def forward(self, x):
                return x * self.weights[0]
        """
    )
    after, _ = rewritten(text)
    assert after.startswith(
        "import numpy as np  # type: ignore\nfrom torch.nn import Module, Parameter\n"
        "from torch import nn\n\n\nclass Net(Module):\n"
    )
    assert "nn.ParameterList([Parameter(np.ones(2))])" in after


AT_THE_TOP = [
    "for _ in range(2):\n    {}",
    "for _ in range(2):\n    pass\nelse:\n    {}",
    "while True:\n    {}",
    "match 1:\n    case 1:\n        pass\n    case _:\n        {}",
    "try:\n    pass\nexcept* ValueError:\n    {}",
    "try:\n    {}\nexcept* ValueError:\n    pass",
    "try:\n    pass\nfinally:\n    {}",
    "async with x:\n    {}",
    "async for _ in x:\n    {}",
]


@pytest.mark.parametrize("statement", AT_THE_TOP)
def test_a_constant_in_any_statement_of_the_top_level_is_known(statement: str) -> None:
    constant = statement.format('DEVICE = "cuda"')
    text = f"from torch import nn\n{constant}\n{MODULE}"
    text += "\n    def place(self):\n        return self.to(DEVICE)\n"
    assert "NN301" in [one.rule.code for one in findings_of(text)]


@pytest.mark.parametrize("statement", AT_THE_TOP)
def test_an_import_in_any_statement_of_the_top_level_changes_meanings(statement: str) -> None:
    other = statement.format("from flax import linen as nn")
    text = f"from torch import nn\n{other}\n{MODULE}"
    assert "NN103" not in [one.rule.code for one in findings_of(text)]


def test_a_class_in_a_handler_of_groups_is_found() -> None:
    text = "try:\n    import fast\nexcept* ImportError:\n" + textwrap.indent(MODULE, "    ")
    codes = [one.rule.code for one in findings_of(f"from torch import nn\n{text}")]
    assert "NN103" in codes
