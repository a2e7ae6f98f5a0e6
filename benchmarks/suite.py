"""How much the contract's suite finds and how long it takes, beside pytest-torch and torchtest2.

Usage: python benchmarks/suite.py [RUNS]

Eleven modules of tests/contract/breaches, each with one fault, and a sound one are given to each
tool: `check_module` with its fast checks; what `pytest --torch-model` of pytest-torch runs by
default; `check_model` of torchtest2 with an optimizer and no loss. Failures, warnings and any other
exception count as found, whatever the tool says of their cause. Seconds are those of a call, the
median of the runs: imports and a first call are not in them. The two are installed by pip, without
what they require, into a folder that is removed at the end.
"""

from __future__ import annotations

import contextlib
import copy
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

ROOT = Path(__file__).resolve().parent.parent
PEERS = ("pytest-torch==1.1.1", "torchtest2==0.1.0")
BREACHES = (
    "NN103-InList",
    "NN104-ParametersInList",
    "NN106-LinearEachCall",
    "NN107-ScaledParameter",
    "NN112-UnusedLinear",
    "NN201-TensorAttribute",
    "NN202-KeepsActivation",
    "NN203-CountsByRebinding",
    "NN302-Zeros",
    "NN401-AddsInPlace",
    "NN402-DropoutAlways",
)
SOUND = "sound module"


def main() -> int:
    """Install the peers and measure in a process that can import them."""
    if "PEERS_INSTALLED" in os.environ:
        measure(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        install = [*pip, "install", "--no-deps", "--target", folder, *PEERS]
        if code := subprocess.run(install, check=False).returncode:
            return code
        places = [ROOT, ROOT / "tests" / "contract", ROOT / "template" / "project" / "tests"]
        environment = os.environ | {
            "PEERS_INSTALLED": "1",
            "PYTHONPATH": os.pathsep.join(map(str, [*places, folder])),
            "OMP_NUM_THREADS": "1",  # with more, other processes decide how long a call takes
        }
        command = [sys.executable, __file__, *sys.argv[1:]]
        return subprocess.run(command, env=environment, check=False).returncode


def measure(runs: int) -> None:
    """Print a table: what each tool finds in each module, and the seconds that it takes."""
    modules = chosen_modules()
    tools = {"nnscaffold": nnscaffold, "pytest-torch": pytest_torch, "torchtest2": torchtest2}
    for tool in tools.values():
        tool(modules[SOUND])
    found: dict[tuple[str, str], bool] = {}
    seconds: dict[tuple[str, str], list[float]] = {}
    for _ in range(runs):
        for module, kind in modules.items():
            for name, tool in tools.items():
                start = time.perf_counter()
                found[name, module] = tool(kind)
                seconds.setdefault((name, module), []).append(time.perf_counter() - start)
    print(f"| module | {' | '.join(f'{name} | seconds' for name in tools)} |")
    print(f"|---|{'---|---|' * len(tools)}")
    for module in modules:
        cells = [
            f"{'found' if found[name, module] else 'no'} | "
            f"{statistics.median(seconds[name, module]):.3f}"
            for name in tools
        ]
        print(f"| {module} | {' | '.join(cells)} |")
    totals = [
        f"{sum(found[name, module] for module in BREACHES)} of {len(BREACHES)} | "
        f"{statistics.mean(statistics.median(seconds[name, module]) for module in modules):.3f}"
        for name in tools
    ]
    print(f"| in all, seconds on average | {' | '.join(totals)} |")


def chosen_modules() -> dict[str, type[nn.Module]]:
    """The modules by the names of their rules, and a sound one; all map rows of four values."""
    from breaches import BREACHES as ALL  # type: ignore[import-not-found]
    from stated import WithLinear  # type: ignore[import-not-found]

    kinds = {breach.name: breach.kind for breach in ALL}
    return {name: kinds[name] for name in BREACHES} | {SOUND: WithLinear}


def rows() -> Any:
    """The same input for all."""
    import torch

    return torch.randn(3, 4, generator=torch.Generator().manual_seed(0))


def nnscaffold(kind: type[nn.Module]) -> bool:
    """Whether our suite finds something."""
    from nnscaffold.contract import check_module

    return bool(check_module(kind, rows()))


def pytest_torch(kind: type[nn.Module]) -> bool:
    """Whether one of the tests fails that `pytest --torch-model` runs by default."""
    import pytest_torch as peer  # type: ignore[import-not-found]

    tolerance = {"rtol": 1e-4, "atol": 1e-4}
    checks: list[Callable[[nn.Module], object]] = [
        lambda module: peer.check_inference_contract(module.eval(), rows(), **tolerance),
        lambda module: peer.assert_layout_invariant(module.eval(), rows(), **tolerance),
        lambda module: peer.assert_checkpoint_roundtrip(
            kind, rows(), model=module.eval(), **tolerance
        ),
        lambda module: peer.assert_gradients_finite(
            copy.deepcopy(module).train(), rows(), lambda output: output.mean()
        ),
    ]
    outcomes = [fails(check, kind) for check in checks]  # all, as under pytest
    return True in outcomes


def fails(check: Callable[[nn.Module], object], kind: type[nn.Module]) -> bool:
    """Whether a check raises on a new module."""
    try:
        check(kind())
    except Exception:
        return True
    return False


def torchtest2(kind: type[nn.Module]) -> bool:
    """Whether a check fails or warns."""
    import torch
    import torchtest2 as peer  # type: ignore[import-not-found]

    module = kind()
    parameters = list(module.parameters())
    optimizer = torch.optim.SGD(parameters, lr=0.01) if parameters else None
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            report = peer.check_model(module, rows(), optimizer=optimizer)
    except Exception:
        return True
    return bool(report.failures or report.warnings)


if __name__ == "__main__":
    sys.exit(main())
