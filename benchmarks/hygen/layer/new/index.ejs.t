---
to: src/digits/layers/__init__.py
inject: true
append: true
---
from .<%= h.changeCase.snake(name) %> import <%= name %> as <%= name %>
