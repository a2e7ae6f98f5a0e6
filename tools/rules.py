"""Write a page for each rule into `docs/rules/`, from the document of the contract and the table.

Usage: python tools/rules.py [--check]

With `--check` nothing is written; pages that differ are named, and the exit code is 1.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from nnscaffold.check.documentation import ALL_RULES, found_by, is_on, section
from nnscaffold.contract.rules import Rule

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "rules"
_DOCUMENT = "../../template/project/docs/module-contract.md"
_MADE = "<!-- Made by `make docs` from the module contract: change that. -->"


def main() -> None:
    """Write the pages, or compare them."""
    pages = make_pages()
    on_disk = {file.name: file.read_text(encoding="utf-8") for file in PAGES.glob("*.md")}
    if "--check" in sys.argv[1:]:
        different = [name for name in pages | on_disk if pages.get(name) != on_disk.get(name)]
        sys.exit("\n".join(f"not up to date: docs/rules/{name}" for name in different) or 0)
    PAGES.mkdir(parents=True, exist_ok=True)
    for name in on_disk.keys() - pages.keys():
        (PAGES / name).unlink()
    for name, text in pages.items():
        (PAGES / name).write_text(text, encoding="utf-8")


def make_pages() -> dict[str, str]:
    """The text of each page, by its name."""
    return {"README.md": _index()} | {_name(rule): _page(rule) for rule in ALL_RULES.values()}


def _index() -> str:
    rows = [
        f"| [{rule.code}]({_name(rule)}) | {rule.name} | {rule.severity} | {found_by(rule)} "
        f"| {'yes' if rule.fixable else ''} | {_default(rule)} |"
        for rule in ALL_RULES.values()
    ]
    return "\n".join(
        [
            _MADE,
            "",
            "# Rules",
            "",
            "*Found by* says who finds a breach: `nnscaffold check`, which reads the source, or",
            "the contract's tests, which run the module. `nnscaffold explain CODE` prints a page.",
            "",
            "| Code | Name | Severity | Found by | `--fix` | On by default |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _page(rule: Rule) -> str:
    properties = [
        f"Severity: {rule.severity}",
        f"found by: {found_by(rule)}",
        *(["`--fix` rewrites it"] if rule.fixable else []),
        *(["off by default"] if rule.static and not is_on(rule) else []),
    ]
    parts = [
        _MADE,
        f"# {rule.title}",
        " · ".join(properties),
        rule.fix,
        _linked(section(rule.code)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _linked(text: str) -> str:
    """A section whose links within the document lead to the pages, or to the document."""

    def link(match: re.Match[str]) -> str:
        for rule in ALL_RULES.values():
            if match[1] == _name(rule).removesuffix(".md").lower():
                return f"]({_name(rule)})"
        return f"]({_DOCUMENT}#{match[1]})"

    return re.sub(r"\]\(#([a-z0-9-]+)\)", link, text)


def _name(rule: Rule) -> str:
    return f"{rule.title.replace(' ', '-')}.md"


def _default(rule: Rule) -> str:
    if not rule.static:
        return "tests only"
    return "yes" if is_on(rule) else "no"


if __name__ == "__main__":
    main()
