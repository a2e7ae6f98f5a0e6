---
to: src/digits/layers/<%= h.changeCase.snake(name) %>.py
---
"""<%= name %>: a linear map."""

from torch import Tensor, nn


class <%= name %>(nn.Linear):
    """A linear map."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the map of x."""
        return super().forward(x)
