"""Reads `docs/module-contract.md` of the template: table of rules, headings, links, examples."""

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).parents[2] / "template" / "project"
DOCUMENT_FILE = PROJECT / "docs" / "module-contract.md"

# What a rule's section consists of, in this order; a line in bold begins each.
PARTS = ("What it does", "Why is this bad?", "Example", "Use instead", "Run-time check")

_HEADING = re.compile(r"#{1,6} (?P<title>.+)")
_RULE = re.compile(r"(?P<code>NN\d{3}) (?P<name>[a-z-]+)")
_PART = re.compile(rf"\*\*({'|'.join(map(re.escape, PARTS))})\*\*")
_ROW = re.compile(r"\| \[(NN\d{3})\]\(#([a-z0-9-]+)\) \| ([a-z-]+) \| .+ \| (tests|check|both) \|")
_LINK = re.compile(r"\]\(#([a-z0-9-]+)\)")


@dataclass(frozen=True)
class Row:
    """One line of the table of rules."""

    code: str
    anchor: str
    name: str
    found_by: str


@dataclass(frozen=True)
class Example:
    """One Python block: the heading above it, the part of the section, its place and text."""

    heading: str
    part: str
    line: int
    source: str

    @property
    def code(self) -> str:
        """The rule that the block is about; nothing outside the rules."""
        rule = _RULE.fullmatch(self.heading)
        return rule["code"] if rule else ""

    @property
    def label(self) -> str:
        """What a test report calls the block."""
        return "-".join([self.code, *self.part.split()]) if self.code else f"line-{self.line}"

    def parse(self) -> ast.Module:
        """Return the block's syntax, with the document's line numbers for any traceback."""
        tree = ast.parse(self.source, filename=str(DOCUMENT_FILE))
        ast.increment_lineno(tree, self.line - 1)
        return tree


@dataclass
class Document:
    """What the tests need to know of the document; `parts` has each section's texts by heading."""

    headings: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    parts: dict[str, dict[str, str]] = field(default_factory=dict)
    examples: list[Example] = field(default_factory=list)

    @property
    def rules(self) -> dict[str, str]:
        """The code and the name of each rule that has a section."""
        matches = (_RULE.fullmatch(heading) for heading in self.headings)
        return {match["code"]: match["name"] for match in matches if match}

    def wrong(self, code: str) -> Example:
        """Return the block that breaks a rule, of which there must be exactly one."""
        return self._block(code, "Example")

    def right(self, code: str) -> Example:
        """Return the block that keeps a rule, of which there must be exactly one."""
        return self._block(code, "Use instead")

    def _block(self, code: str, part: str) -> Example:
        [found] = (one for one in self.examples if one.code == code and one.part == part)
        return found


def read_document() -> Document:
    """Read the document once, line by line."""
    document = Document()
    part = ""
    lines = enumerate(DOCUMENT_FILE.read_text(encoding="utf-8").splitlines(), start=1)
    for number, line in lines:
        if line == "```python":
            block = list(iter(lambda: next(lines)[1], "```"))
            source = "\n".join(block) + "\n"
            document.examples.append(Example(document.headings[-1], part, number + 1, source))
        elif heading := _HEADING.fullmatch(line):
            document.headings.append(heading["title"])
            part = ""
        elif row := _ROW.fullmatch(line):
            document.rows.append(Row(*row.groups()))
        elif bold := _PART.fullmatch(line):
            part = bold[1]
            document.parts.setdefault(document.headings[-1], {})[part] = ""
        elif part:
            document.parts[document.headings[-1]][part] += f"{line}\n"
        document.links += _LINK.findall(line)
    return document


def anchor(heading: str) -> str:
    """Return the address that code hosts give a heading."""
    return re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
