"""Where a file is for those who read a report elsewhere, beside the repository."""

from __future__ import annotations

import os


def in_repository(path: str) -> str:
    """A path as GitHub looks for it: relative to the checkout, wherever the command runs.

    Elsewhere than in GitHub Actions, and outside of the checkout, it is as it was.
    """
    root = os.environ.get("GITHUB_WORKSPACE")
    if not root:
        return path
    relative = os.path.relpath(path, root)
    return path if relative.split(os.sep)[0] == os.pardir else relative
