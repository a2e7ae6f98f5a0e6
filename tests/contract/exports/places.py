"""Where the broken models are broken."""

import inspect
import re

from torch import nn


def marked(kind: type[nn.Module]) -> tuple[str, str]:
    """Return the rule that a comment in a model's source names, and ``file:line`` of the comment.

    The rule is empty where the comment says that there is none. A model without such a comment
    is broken where the class that its ``classifier`` is of is.
    """
    lines, start = inspect.getsourcelines(kind)
    for number, line in enumerate(lines, start):
        if found := re.search(r"# (NN\d+|no rule)$", line.rstrip()):
            code = found[1] if found[1].startswith("NN") else ""
            return code, f"broken_models.py:{number}: "
    return marked(type(kind().get_submodule("classifier")))
