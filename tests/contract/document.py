"""Reads `docs/module-contract.md` of the template: table of rules, headings, links, examples."""

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).parents[2] / "template" / "project"
DOCUMENT_FILE = PROJECT / "docs" / "module-contract.md"

_HEADING = re.compile(r"#{1,6} (?P<title>.+)")
_RULE = re.compile(r"(?P<code>NN\d{3}) (?P<name>[a-z-]+)")
_VERDICT = re.compile(r"\*\*(Wrong|Right)\*\*")
_ROW = re.compile(r"\| \[(NN\d{3})\]\(#([a-z0-9-]+)\) \| ([a-z-]+) \| .+ \| (tests|review) \|")
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
    """One Python block: the heading above it, its verdict (if it has one), its place and text."""

    heading: str
    verdict: str
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
        return f"{self.code}-{self.verdict}" if self.code else f"line-{self.line}"

    def parse(self) -> ast.Module:
        """Return the block's syntax, with the document's line numbers for any traceback."""
        tree = ast.parse(self.source, filename=str(DOCUMENT_FILE))
        ast.increment_lineno(tree, self.line - 1)
        return tree


@dataclass
class Document:
    """What the tests need to know of the document."""

    headings: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)

    @property
    def rules(self) -> dict[str, str]:
        """The code and the name of each rule that has a section."""
        matches = (_RULE.fullmatch(heading) for heading in self.headings)
        return {match["code"]: match["name"] for match in matches if match}

    def example(self, code: str, verdict: str) -> Example:
        """Return a rule's "wrong" or "right" block, of which there must be exactly one."""
        [found] = (
            example
            for example in self.examples
            if example.code == code and example.verdict == verdict
        )
        return found


def read_document() -> Document:
    """Read the document once, line by line."""
    document = Document()
    verdict = ""
    lines = enumerate(DOCUMENT_FILE.read_text(encoding="utf-8").splitlines(), start=1)
    for number, line in lines:
        if line == "```python":
            block = list(iter(lambda: next(lines)[1], "```"))
            source = "\n".join(block) + "\n"
            document.examples.append(Example(document.headings[-1], verdict, number + 1, source))
        elif heading := _HEADING.fullmatch(line):
            document.headings.append(heading["title"])
        elif row := _ROW.fullmatch(line):
            document.rows.append(Row(*row.groups()))
        document.links += _LINK.findall(line)
        if line:
            label = _VERDICT.fullmatch(line)
            verdict = label[1].lower() if label else ""
    return document


def anchor(heading: str) -> str:
    """Return the address that code hosts give a heading."""
    return re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
