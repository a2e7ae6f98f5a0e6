"""All that is looked at, at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from scaffolder.doctor import tools
from scaffolder.doctor.containers import look_at_containers
from scaffolder.doctor.gpu import look_at_cards
from scaffolder.doctor.torch_build import look_at_torch

if TYPE_CHECKING:
    from pathlib import Path

    from scaffolder.doctor.finding import Finding


def examine(folder: Path) -> list[Finding]:
    """Look at the machine as it is for somebody who stands in a folder; change nothing."""
    with ThreadPoolExecutor() as pool:
        cards = pool.submit(look_at_cards)
        others = [
            pool.submit(look)
            for look in (
                tools.look_at_tmux,
                tools.look_at_slurm,
                tools.look_at_compiler,
                tools.look_at_java,
                tools.look_at_shared_memory,
            )
        ]
        git = pool.submit(tools.look_at_git)
        found = cards.result()
        torch = pool.submit(look_at_torch, folder, found)
        containers = pool.submit(look_at_containers, found.finding.state == "ok")
        rest = [finding for each in others if (finding := each.result()) is not None]
        return [git.result(), *torch.result(), found.finding, *containers.result(), *rest]
