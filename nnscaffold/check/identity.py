"""What a finding is recognised by in another check, where its line may have moved."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nnscaffold.check.finding import Finding


class Identity(NamedTuple):
    """What stays of a finding while lines above it come and go.

    Two findings may share it, so that whoever compares counts how often it occurs.

    Attributes:
        path: The file.
        code: The rule.
        name: What the finding is about.
        text: The line in which it begins, without its indentation.
    """

    path: str
    code: str
    name: str
    text: str

    def fingerprint(self) -> str:
        """The same in a few characters."""
        data = json.dumps(self).encode()
        return hashlib.blake2b(data, digest_size=10).hexdigest()


def identify(finding: Finding, lines: Mapping[tuple[str, int], str]) -> Identity:
    """What a finding is recognised by; the path is as it is shown.

    Args:
        finding: The finding.
        lines: The texts of lines by path and number, as a report has them.
    """
    text = lines.get((finding.path, finding.span.line), "").strip()
    return Identity(finding.path, finding.rule.code, finding.name, text)
