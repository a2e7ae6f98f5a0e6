---
to: tests/layers/test_<%= h.changeCase.snake(name) %>.py
---
"""<%= name %>, tested."""

import torch

from digits.layers import <%= name %>


def test_shape() -> None:
    assert <%= name %>(3, 4)(torch.zeros(2, 3)).shape == (2, 4)
