"""Print which torch Python finds and where, as a line of pip's constraints; or check it.

With a file that holds such a line, fail unless that torch is still the one in use. The Dockerfile
runs this around each installation, so that no build replaces the image's torch.
"""

import sys
from importlib import metadata
from pathlib import Path

import torch

# Pip's own number: a wheel that pip knows as 2.13.0 can call itself 2.13.0+cu130.
now = f"torch=={metadata.version('torch')}  # {Path(torch.__file__).parent}"
if len(sys.argv) == 1:
    print(now)
elif (before := Path(sys.argv[1]).read_text(encoding="utf-8").strip()) != now:
    sys.exit(f"error: torch was replaced: {before} became {now}")
