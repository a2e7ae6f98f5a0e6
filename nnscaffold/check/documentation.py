"""What the document of the module contract says of each rule.

`module-contract.md` beside this file is that document, a link in the repository.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from nnscaffold.check.errors import BadRequest
from nnscaffold.check.selection import (
    OFF_BY_DEFAULT,
    STATIC_RULES,
    UNUSED_NOQA,
    nearest_rule,
    rules_of,
)
from nnscaffold.contract.rules import Rule

DOCUMENT = Path(__file__).with_name("module-contract.md")

_HEADING = re.compile(r"(?P<level>#{1,6}) (?P<title>.+)")
_TITLE = re.compile(r"(?P<code>NN\d+) [a-z-]+")
_RULE_LEVEL = 3
_OF_NOQA = """\
**What it does**

Finds codes of this checker in `# noqa: …` comments that silence nothing, for rules that are on; and
what stands there for a code and is none, such as the name of a rule.

**Why is this bad?**

Such a comment hides the next breach in its line from everybody.

**Example**

```python
x = x + 1  # noqa: NN103
self.layers = [nn.Linear(2, 2)]  # noqa: module-in-container
```

**Use instead**

```python
x = x + 1
self.layers = [nn.Linear(2, 2)]  # noqa: NN103
```
"""


def find_rules(word: str) -> list[Rule]:
    """The rules with a code or a name, or whose codes begin so, in capital or small letters.

    Raises:
        BadRequest: There is none.
    """
    if not (found := rules_of(word)):
        raise BadRequest("rule-unknown", f"There is no rule `{word}`.", nearest_rule(word))
    return found


def section(code: str) -> str:
    """The text of a rule's section, in Markdown, without its heading; empty if it has none."""
    return _OF_NOQA.strip() if code == UNUSED_NOQA.code else _sections().get(code, "")


def without_links(text: str) -> str:
    """A text whose links to other sections are their words alone."""
    return re.sub(r"\[([^\]]+)\]\(#[^)]*\)", r"\1", text)


def found_by(rule: Rule) -> str:
    """Who finds breaches of a rule."""
    ways = [("check", rule.code in STATIC_RULES), ("tests", rule.runtime)]
    return ", ".join(name for name, finds in ways if finds)


def is_on(rule: Rule) -> bool:
    """Whether `check` looks for it without being asked."""
    return rule.code in STATIC_RULES and rule.code not in OFF_BY_DEFAULT


@cache
def _sections() -> dict[str, str]:
    try:
        text = DOCUMENT.read_text(encoding="utf-8")
    except OSError:  # a checkout without links: the table of rules still serves
        return {}
    sections: dict[str, list[str]] = {}
    current: list[str] = []
    in_code = False
    for line in text.splitlines():
        in_code ^= line.startswith("```")
        heading = None if in_code else _HEADING.fullmatch(line)
        if heading and len(heading["level"]) <= _RULE_LEVEL:
            current = []
            if title := _TITLE.fullmatch(heading["title"]):
                sections[title["code"]] = current
        else:
            current.append(line)
    return {code: "\n".join(lines).strip() for code, lines in sections.items()}
