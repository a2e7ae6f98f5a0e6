"""Optional parts: off, one leaves no trace; an update brings it in beside the user's edits."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import yaml

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Program, Render


NOTHING: dict[str, Any] = {}


class Part(NamedTuple):
    """A part of a repository.

    Attributes:
        answers: What brings it in.
        files: Some of the files that come with it, as patterns.
        words: What is said of it, and of nothing else, in file names too; a pattern.
        needs: Answers that it needs beside its own.
    """

    answers: dict[str, Any]
    files: tuple[str, ...]
    words: str
    needs: dict[str, Any] = NOTHING


TARGETS = [
    "onnx",
    "torch-export",
    "quantize",
    "prune",
    "aoti",
    "torchscript",
    "executorch",
    "torchserve",
    "triton",
]
DOCKER = {"docker": True}
PARTS = {
    "docker": Part(DOCKER, ("Dockerfile", ".dockerignore", "docker/*.py"), r"(?i)docker"),
    "compose": Part(
        {"compose": True}, ("compose.yaml", "compose.gpu.yaml"), r"compose\b(?! of)", DOCKER
    ),
    "devcontainer": Part(
        {"devcontainer": True},
        (".devcontainer/devcontainer.json", ".vscode/*.json"),
        r"(?i)devcontainer|vscode|VS Code",
        DOCKER,
    ),
    "ssh_server": Part(
        {"ssh_server": True},
        ("docker/sshd_config", "docker/start_sshd.sh"),
        r"sshd|SSH_PUBLIC_KEYS|SSH server",
        {"docker": True, "compose": True},
    ),
    "server": Part(
        {"server": True},
        ("src/strokes/serve.py", "src/strokes/serving/*.py", "src/strokes/task/requests.py"),
        r"SERVE_TOKEN|\bserving/|requests\.py|strokes\.serve\b",
    ),
    "fsdp": Part({"fsdp": True}, ("src/strokes/distributed/fsdp.py",), r"(?i)fsdp|fully_shard"),
    "activation_checkpointing": Part(
        {"activation_checkpointing": True},
        ("src/strokes/distributed/activation_checkpointing.py",),
        r"(?i)activation.checkpointing|torch\.utils\.checkpoint\b",
    ),
    "workers": Part(
        {"workers": True},
        ("src/strokes/training/workers.py",),
        r"--workers|forkserver|config\.workers",
    ),
    "warm_start": Part(
        {"warm_start": True},
        ("src/strokes/training/warm_start.py",),
        r"warm.start|init.from|read_weights",
    ),
    "slurm": Part({"slurm": True}, ("scripts/train.sbatch",), r"(?i)sbatch|slurm"),
    "mlflow": Part({"trackers": ["mlflow"]}, (), r"(?i)mlflow"),
    "wandb": Part({"trackers": ["wandb"]}, (), r"(?i)wandb|W&B|weights & biases"),
    "profiler": Part({"profiler": True}, ("src/strokes/profile.py",), r"strokes\.profile\b"),
    "notebook": Part({"notebook": True}, ("notebooks/quickstart.ipynb",), r"quickstart|notebooks/"),
    "sweep": Part({"sweep": True}, ("src/strokes/sweep.py",), r"(?i)\bsweeps?\b"),
    "contract": Part(
        {"contract": "package", "nnscaffold_from": "nnscaffold>=0.5.1"},
        (),
        r"nnscaffold.contract|nnscaffold>=|nnscaffold check$|(?<!external = \[)\"nnscaffold",
    ),
    "exports": Part(
        {"exports": TARGETS},
        ("src/strokes/export/onnx.py", "src/strokes/export/prune.py", "serve/README.md"),
        r"(?i)strokes\.export|exports/|executorch|torchserve|tritonclient|torchao",
    ),
    "profile": Part(
        {"profile": "standard"},
        ("scripts/train_tmux.py", "src/strokes/training/*.py", "src/strokes/checkpoints/*.py"),
        r"train_tmux|tensorboard",
    ),
}
ALL_OFF = {"package": "strokes", "docker": False, "exports": []}
# The package that each test's modules come from; it may name what the parts do.
CONTRACT = ("tests/module_contract", "docs/module-contract.md", "tests/contract_")
# Written once, and the user's from then on.
OURS = ("src/strokes/task/", "configs/default.toml", "tests/test_task.py")
EDITS = {
    "README.md": "\nOur own remarks.\n",
    "configs/default.toml": "# Ours.\n",
    "src/strokes/task/data.py": "\n\nOURS = 1\n",
    "src/strokes/task/objective.py": "\n\nOURS = 2\n",
    "src/strokes/layers/conv_block.py": "\n\n# Ours.\n",
}


def without(part: str) -> dict[str, Any]:
    """Return the answers of a repository that has everything a part needs, and nothing else."""
    if part == "profile":
        return {"package": "strokes", "profile": "minimal"}
    return ALL_OFF | PARTS[part].needs


def files_of(folder: Path) -> dict[str, str]:
    """Return the texts of a repository's files, all but its answers."""
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and ".git" not in path.relative_to(folder).parts
        and path.name != ".copier-answers.yml"
    }


def mentions(files: dict[str, str], words: str) -> list[str]:
    """Return where words are found: in names of files, or in lines of them."""
    found = [name for name in files if re.search(words, name)]
    for name, text in files.items():
        if not name.startswith(CONTRACT):
            lines = (line for line in text.splitlines() if re.search(words, line))
            found += [f"{name}: {line}" for line in lines]
    return found


def git(folder: Path, *arguments: str) -> str:
    result = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return result.stdout


@pytest.fixture(scope="module")
def rendered(render: Render) -> dict[str, Path]:
    """A repository for each distinct set of answers, made when it is first asked for."""
    made: dict[str, Path] = {}
    answers_of = {part: yaml.safe_dump(without(part)) for part in PARTS}
    for part, key in answers_of.items():
        made[key] = made.get(key) or render(**without(part))
    return {part: made[answers_of[part]] for part in PARTS}


@pytest.mark.parametrize("part", PARTS)
def test_what_is_off_leaves_no_trace(part: str, rendered: dict[str, Path]) -> None:
    assert mentions(files_of(rendered[part]), PARTS[part].words) == []


def test_a_new_repository_has_nothing_for_files_of_before_0_4(render: Render) -> None:
    files = files_of(render(copyright_year="2020", license="MIT"))

    assert not [name for name in files if name.endswith("old_names.py")]
    assert mentions(files, r"[Vv]ersion 0\.[34]|old_names") == []


@pytest.mark.slow
def test_updates_bring_each_part_in_and_take_all_out_again(
    rendered: dict[str, Path],
    render: Render,
    program: Program,
    tmp_path: Path,
) -> None:
    repository = copy(rendered["docker"], tmp_path / "repository")
    before, edits = edit(repository)
    parts = {name: part for name, part in PARTS.items() if name not in ("profile", "wandb")}

    for name, part in parts.items():
        update(repository, program, part.answers)

        assert git(repository, "diff", "--name-only", "--diff-filter=U") == "", name
        assert mentions(files_of(repository), part.words), name
        for pattern in part.files:
            assert list(repository.glob(pattern)), (name, pattern)
        commit(repository)

    answers = [part.answers for part in parts.values()]
    expected = files_of(render(**ALL_OFF | {k: v for each in answers for k, v in each.items()}))
    assert theirs(files_of(repository)) == theirs(with_edits(expected, edits))

    update(repository, program, {k: off(v) for each in answers for k, v in each.items()})

    assert theirs(files_of(repository)) == theirs(with_edits(before, edits))
    assert kept(before, edits).items() <= files_of(repository).items()


def test_an_update_replaces_the_suite_by_the_installed_one_and_brings_it_back(
    rendered: dict[str, Path],
    render: Render,
    program: Program,
    tmp_path: Path,
) -> None:
    repository = copy(rendered["contract"], tmp_path / "repository")
    answers = repository / ".copier-answers.yml"
    # As in a repository that is older than the question.
    answers.write_text(re.sub(r"(?m)^contract: .*\n", "", answers.read_text()))
    before, edits = edit(repository)

    update(repository, program, {})

    assert git(repository, "diff", "--name-only").split() == [".copier-answers.yml"]
    assert 'contract: "vendored"\n' in answers.read_text()
    commit(repository)

    update(repository, program, PARTS["contract"].answers)

    assert git(repository, "diff", "--name-only", "--diff-filter=U") == ""
    assert not (repository / "tests" / "module_contract").exists()
    expected = files_of(render(**ALL_OFF | PARTS["contract"].answers))
    assert files_of(repository) == with_edits(expected, edits)
    commit(repository)

    update(repository, program, {"contract": "vendored"})

    assert files_of(repository) == with_edits(before, edits)


@pytest.mark.slow
def test_an_update_makes_a_minimal_repository_a_standard_one(
    rendered: dict[str, Path],
    render: Render,
    program: Program,
    tmp_path: Path,
) -> None:
    repository = copy(rendered["profile"], tmp_path / "repository")
    before, edits = edit(repository)

    update(repository, program, {"profile": "standard", "docker": True})

    assert git(repository, "diff", "--name-only", "--diff-filter=U") == ""
    expected = files_of(render(package="strokes"))
    assert theirs(files_of(repository)) == theirs(with_edits(expected, edits))
    assert kept(before, edits).items() <= files_of(repository).items()


def edit(repository: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Commit a user's edits; return the files before them, and what was added to each."""
    before = files_of(repository)
    edits = {name: text for name, text in EDITS.items() if name in before}
    for name, text in edits.items():
        with (repository / name).open("a", encoding="utf-8") as file:
            file.write(text)
    git(repository, "init", "--quiet")
    commit(repository)
    return before, edits


def with_edits(files: dict[str, str], edits: dict[str, str]) -> dict[str, str]:
    return {name: text + edits.get(name, "") for name, text in files.items()}


def theirs(files: dict[str, str]) -> dict[str, str]:
    """Return the files that an update may change."""
    return {name: text for name, text in files.items() if not name.startswith(OURS)}


def kept(files: dict[str, str], edits: dict[str, str]) -> dict[str, str]:
    """Return the files that no update may change, as the user left them."""
    return {name: text for name, text in with_edits(files, edits).items() if name.startswith(OURS)}


def off(value: Any) -> Any:
    return {"package": "vendored"}.get(value, value) if isinstance(value, str) else type(value)()


def copy(source: Path, target: Path) -> Path:
    return shutil.copytree(source, target, symlinks=True)


def commit(repository: Path) -> None:
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "Work")


def update(repository: Path, program: Program, answers: dict[str, Any]) -> None:
    values = {
        name: yaml.safe_dump(value, default_flow_style=True).splitlines()[0]
        for name, value in answers.items()
    }
    data = [word for item in values.items() for word in ("--data", "=".join(item))]
    program(repository, "copier", "update", "--quiet", "--defaults", *data)
