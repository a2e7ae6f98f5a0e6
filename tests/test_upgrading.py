"""From a version whose files have moved since, as docs/upgrading.md says: no edit is lost."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from scaffolder.add import offered_kinds
from scaffolder.git import git

if TYPE_CHECKING:
    from torch import nn

    from .conftest import Run

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = (ROOT / "docs" / "upgrading.md").read_text(encoding="utf-8")
# Files without comments, and what Copier alone writes.
NOT_EDITED = (".copier-answers.yml", ".ipynb", ".json", "LICENSE", "py.typed")
OURS = "# Ours, in {}.\n"
# What a repository's users edit most: these edits stay where they are, or in a conflict.
KEPT = {
    "README.md",
    "configs/digits.toml",
    "pyproject.toml",
    "src/digits/classifier.py",
    "src/digits/config.py",
    "src/digits/data.py",
    "src/digits/evaluation.py",
    "src/digits/optimizer.py",
    "src/digits/run.py",
    "src/digits/train.py",
    "src/digits/training.py",
}
STATEFUL: dict[str, tuple[tuple[Any, ...], dict[str, Any], list[torch.Tensor]]] = {
    "attention": ((32,), {"num_heads": 4}, [torch.randn(2, 8, 32)]),
    "norm": ((8,), {}, [torch.randn(6, 8)]),
    "routing": ((8, 16), {"num_experts": 4}, [torch.randn(6, 8)]),
    "transformer": (
        (11, 32),
        {"num_heads": 4, "depth": 2, "max_length": 8},
        [torch.randint(11, (2, 8))],
    ),
}


def old_repository(version: str, nnscaffold: Run, home: Path) -> Path:
    """A repository of an old version, with a module of every kind that there was."""
    repository = home / "old"
    answers = ("--defaults", "-d", "package=digits", "--ref", version, "--quiet")
    nnscaffold("new", "project", repository, *answers)
    for kind in offered_kinds(repository):
        if kind.name != "digits":
            name = f"Own{kind.name.title()}"
            nnscaffold("new", kind.role, name, "--kind", kind.name, "-q", cwd=repository)
    commit(repository)
    return repository


def commit(repository: Path) -> None:
    git("add", "--all", cwd=repository)
    git("commit", "--quiet", "--message", "Work", cwd=repository)


def commands(heading: str, number: int = 0) -> str:
    """The commands that the document has under a heading."""
    section = DOCUMENT.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    block = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)[number]
    return block.replace("PACKAGE", "digits")


def shell(script: str, repository: Path) -> str:
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, (script, result.stdout, result.stderr)
    return result.stdout


def run_module(repository: Path, *arguments: str | Path) -> str:
    result = subprocess.run(
        [sys.executable, "-m", *map(str, arguments)],
        cwd=repository,
        env=os.environ | {"PYTHONPATH": "src", "OMP_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, (arguments, result.stdout, result.stderr)
    return result.stdout + result.stderr


def update(repository: Path, *answers: str) -> str:
    data = [word for answer in answers for word in ("-d", answer)]
    return run_module(repository, "copier", "update", "--defaults", "--prereleases", *data)


def lines_of_ours(text: str) -> list[str]:
    return [line for line in text.splitlines() if "# Ours, in " in line]


@pytest.mark.slow
@pytest.mark.parametrize("version", ["v0.2.1", "v0.3.0"])
def test_every_edit_stays_or_is_listed(version: str, nnscaffold: Run, home: Path) -> None:
    repository = old_repository(version, nnscaffold, home)
    tracked = git("ls-files", cwd=repository).splitlines()
    edited = [path for path in tracked if not path.endswith(NOT_EDITED)]
    for path in edited:
        text = (repository / path).read_text(encoding="utf-8")
        line = OURS.format(path)
        start = "        super().__init__()\n"
        text = text.replace(start, f"{start}        {line}", 1)
        (repository / path).write_text(text + line, encoding="utf-8")
    commit(repository)
    edits = {path: git("show", f"HEAD:{path}", cwd=repository) for path in edited}

    said = update(repository, "compose=true", "devcontainer=true", "server=true", "fsdp=true")

    assert "git diff --name-only --diff-filter=D" in said
    removed = set()
    for path, text in edits.items():
        if (repository / path).is_file():
            there = (repository / path).read_text(encoding="utf-8")
            assert lines_of_ours(there) == lines_of_ours(text), path
        else:
            removed.add(path)
    modules = {path for path in edited if re.search(r"/(layers|models)/", path)}
    assert not removed & (KEPT | modules)
    listed = shell(commands("What happens to your files"), repository)
    assert set(listed.splitlines()) == removed
    for path in ("compose.yaml", ".vscode/settings.json", "src/digits/serve.py"):
        assert (repository / path).is_file(), path


@pytest.mark.slow
@pytest.mark.parametrize("version", ["v0.2.1", "v0.3.0"])
def test_a_trained_model_is_evaluated_as_before(version: str, nnscaffold: Run, home: Path) -> None:
    repository = old_repository(version, nnscaffold, home)
    said = run_module(repository, "digits.train", "--epochs", "1", "--device", "cpu")
    (accuracy,) = re.findall(r"test accuracy ([\d.]+%)", said)

    update(repository, "exports=[onnx, torch-export, quantize, prune]", "profiler=true")
    shell(commands("What happens to your files", 1), repository)
    shell(commands("Layers and models"), repository)
    commit(repository)

    best = repository / "runs" / "digits" / "best.pt"
    assert f"test accuracy {accuracy}" in run_module(
        repository, "digits.evaluate", "--checkpoint", best
    )
    run_module(repository, "ruff", "check")
    run_module(repository, "ruff", "format", "--check")
    run_module(repository, "mypy")
    run_module(repository, "pytest", "-q", "-m", "not slow", "tests/layers/test_own_routing.py")


@pytest.mark.slow
def test_old_weights_fit_by_the_keys_that_the_document_names(nnscaffold: Run, home: Path) -> None:
    repository = old_repository("v0.3.0", nnscaffold, home)
    paths = {
        kind: repository / "src" / "digits" / role / f"own_{kind}.py"
        for kind in STATEFUL
        for role in ("models" if kind == "transformer" else "layers",)
    }
    before = {kind: made(kind, path, "before") for kind, path in paths.items()}

    update(repository)

    for kind, path in paths.items():
        old, new = before[kind], made(kind, path, "after")
        new.load_state_dict(renamed(kind, old.state_dict()))
        inputs = STATEFUL[kind][2]
        with torch.inference_mode():
            outputs = new.eval()(*inputs)
            first = outputs if isinstance(outputs, torch.Tensor) else outputs[0]
            torch.testing.assert_close(first, old.eval()(*inputs), rtol=0, atol=1e-6)


def made(kind: str, path: Path, alias: str) -> nn.Module:
    """A module of the class in a file, as it stands there now."""
    spec = importlib.util.spec_from_file_location(f"{alias}_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    file = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(file)
    arguments, options, _ = STATEFUL[kind]
    if kind == "attention" and alias == "before":
        options = options | {"max_length": 8}
    module: nn.Module = getattr(file, f"Own{kind.title()}")(*arguments, **options)
    return module


def renamed(kind: str, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The state under the new keys, of the document's table."""
    table = DOCUMENT.partition("<!-- keys")[2].partition("<!-- /keys -->")[0]
    rows = re.findall(r"^\| `(\w+)` \| `([\w.]+)` \| (.+?) \|$", table, re.MULTILINE)
    assert {name for name, _, _ in rows} == set(STATEFUL)
    fitting = {}
    for key, value in state.items():
        new_key, new_value = key, value
        for old, new in ((old, new) for name, old, new in rows if name == kind):
            pattern = re.escape(old).replace("I", r"(\d+)")
            if not re.match(pattern, key):
                continue
            (name, *of) = re.findall("`(.+?)`", new) or [""]
            new_key = re.sub(f"^{pattern}", name.replace("I", r"\1"), key) if name else ""
            if of:
                assert of == [f"{old}.flatten(0, 1)"]
                new_value = value.flatten(0, 1)
        if new_key:
            fitting[new_key] = new_value
    return fitting
