"""All checks, run at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from scaffolder.doctor import tools
from scaffolder.doctor.containers import check_containers
from scaffolder.doctor.gpu import check_cards
from scaffolder.doctor.torch_build import check_torch

if TYPE_CHECKING:
    from pathlib import Path

    from scaffolder.doctor.finding import Finding


def examine(folder: Path) -> list[Finding]:
    """Check the machine as seen from a folder; change nothing."""
    with ThreadPoolExecutor() as pool:
        cards = pool.submit(check_cards)
        others = [
            pool.submit(look)
            for look in (
                tools.check_tmux,
                tools.check_slurm,
                tools.check_compiler,
                tools.check_java,
                tools.check_shared_memory,
            )
        ]
        git = pool.submit(tools.check_git)
        found = cards.result()
        torch = pool.submit(check_torch, folder, found)
        containers = pool.submit(check_containers, found.finding.state == "ok")
        rest = [finding for each in others if (finding := each.result()) is not None]
        return [git.result(), *torch.result(), found.finding, *containers.result(), *rest]
