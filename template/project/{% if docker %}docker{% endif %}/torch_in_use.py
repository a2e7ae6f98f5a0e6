"""Print which torch Python finds and where, as a line of pip's constraints; or check it.

The Dockerfile runs this around each installation, so that no build replaces the image's torch.
"""

import argparse
import importlib.metadata
import importlib.util
import sys
from pathlib import Path


def torch_in_use() -> str:
    """Return the version and, as pip's comment, the place of the torch that is imported."""
    import torch

    # Pip's own number: a wheel that pip knows as 2.13.0 can call itself 2.13.0+cu130.
    return f"torch=={importlib.metadata.version('torch')}  # {Path(torch.__file__).parent}"


def main() -> int:
    """Print the line, or compare it with that of a file."""
    parser = argparse.ArgumentParser(description="Print which torch is in use.")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--installed", action="store_true", help="only check that there is one")
    what.add_argument("--same-as", type=Path, metavar="FILE", help="fail unless it is FILE's")
    chosen = parser.parse_args()
    if chosen.installed:
        return int(importlib.util.find_spec("torch") is None)
    now = torch_in_use()
    if chosen.same_as is None:
        print(now)
        return 0
    before = chosen.same_as.read_text(encoding="utf-8").strip()
    if now != before:
        print(f"error: torch was replaced: {before} became {now}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
