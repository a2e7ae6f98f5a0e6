"""NVIDIA cards and their driver."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from scaffolder.doctor.finding import Finding
from scaffolder.doctor.program import Answer, ask

_PURPOSE = "training on CUDA"
_NVIDIA = "0x10de"
_DISPLAY_CLASSES = ("0x0300", "0x0302")  # a display, a 3D controller


class Cards(NamedTuple):
    """The cards that the driver sees.

    Attributes:
        finding: What to say of them.
        cuda: The latest CUDA that the driver can run, such as `13.0`; empty without a driver.
    """

    finding: Finding
    cuda: str = ""


def check_cards(devices: Path = Path("/sys/bus/pci/devices")) -> Cards:
    """Ask the driver for its cards; without a driver, look for NVIDIA's PCI devices.

    Args:
        devices: Where the machine lists its PCI devices.
    """
    answer = ask(
        "nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"
    )
    if answer is None:
        return Cards(_without_driver(devices))
    if not answer.succeeded or not answer.text.strip():
        hint = "Install or repair the NVIDIA driver, then restart; `nvidia-smi` must list the GPU."
        return Cards(Finding("GPU", "problem", answer.last_line, _PURPOSE, hint))
    rows = [[part.strip() for part in row.split(",")] for row in answer.text.strip().splitlines()]
    names: dict[str, int] = {}
    for name, memory, *_ in rows:
        names[f"{name} ({memory})"] = names.get(f"{name} ({memory})", 0) + 1
    cards = ", ".join(f"{count} x {name}" for name, count in names.items())
    cuda = _latest_cuda(ask("nvidia-smi"))
    known = f", up to CUDA {cuda}" if cuda else ""
    return Cards(Finding("GPU", "ok", f"{cards}, driver {rows[0][2]}{known}", _PURPOSE), cuda)


def _without_driver(devices: Path) -> Finding:
    if any(_is_card(device) for device in devices.glob("*")):
        hint = "Install the NVIDIA driver of your distribution, then restart."
        return Finding("GPU", "problem", "an NVIDIA GPU without a driver", _PURPOSE, hint)
    hint = "Train on the CPU here, or on a machine with a GPU."
    return Finding("GPU", "missing", "no NVIDIA GPU", _PURPOSE, hint)


def _is_card(device: Path) -> bool:
    try:
        vendor = (device / "vendor").read_text().strip()
        kind = (device / "class").read_text().strip()
    except OSError:
        return False
    return vendor == _NVIDIA and kind.startswith(_DISPLAY_CLASSES)


def _latest_cuda(answer: Answer | None) -> str:
    found = re.search(r"CUDA[A-Za-z ]*Version\s*:\s*(\d+\.\d+)", answer.text) if answer else None
    return found[1] if found else ""
