"""What the README says is what the tool does."""

from __future__ import annotations

import re
from pathlib import Path

from scaffolder.kinds import read_kinds

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_of_kinds_is_that_of_the_template() -> None:
    section = README.partition("<!-- kinds")[2].partition("<!-- /kinds -->")[0]
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.+?) \| (.+?) \|$", section, re.MULTILINE)
    kinds = [(k.name, k.role, k.description, k.shows) for k in read_kinds(ROOT)]
    wanted = "\n".join(f"| `{a}` | {b} | {c} | {d} |" for a, b, c, d in kinds)
    assert rows == kinds, f"The table should be:\n{wanted}"


def test_every_link_leads_to_a_file() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
