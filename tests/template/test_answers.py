"""Whatever is answered, the repository is well formed, says it back and passes its tools."""

from __future__ import annotations

import ast
import itertools
import json
import re
import tomllib
from email.headerregistry import Address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import pytest
import yaml
from allpairspy import AllPairs
from packaging.requirements import Requirement

from .conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Program, Render

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
NASTY = {
    "project_name": ['"""Quotes""" {{ 7*7 }}', "Ziffern 🚀 {% raw %} \\n: #"],
    "description": [
        'It\'s "quoted", """thrice""" and \'\'\'thrice\'\'\'; {{ 7*7 }} {# no comment #}',
        "C:\\new\\table, 数字 🔢, - [x] # no: heading, ${{ secrets }} %YAML &anchor *alias",
    ],
    "author_name": ['O\'Brien "Ada" \\ Söhne, GmbH & Co. <KG>', "王小明 {{ author_name }} 🎉"],
}
# The exports in the order of the question, and the file of each.
TARGETS = {
    "onnx": "onnx.py",
    "torch-export": "torch_export.py",
    "quantize": "quantize.py",
    "prune": "prune.py",
    "aoti": "aoti.py",
    "torchscript": "torchscript.py",
    "executorch": "executorch.py",
    "torchserve": "torchserve.py",
    "triton": "triton.py",
}
SOURCE = "nnscaffold @ git+https://git.example.org/tools/nnscaffold@v0.5.0"
CHOICES: dict[str, list[Any]] = {
    "task": ["digits", "tabular", "sequence", "blank"],
    # Typed together.
    "texts": [
        {
            "project_name": "Stroke reader",
            "description": "Reads strokes.",
            "author_name": "Ada Example",
            "package": "a_package_of_thirty_characters",
        },
        *(
            {name: values[number] for name, values in NASTY.items()} | {"package": package}
            for number, package in enumerate(("s", "trailing__underscores_"))
        ),
    ],
    "author_email": ["", "ada.l+digits@mail.example.org"],
    "license": ["MIT", "Apache-2.0", "BSD-3-Clause", "Proprietary"],
    "python_min": PYTHONS,
    "torch_min": ["2.13", "2.14.1"],
    "ci": ["github", "gitlab", "none"],
    # Asked together: of a copy, nothing more is asked.
    "suite": [
        {"contract": "vendored"},
        {"contract": "package", "nnscaffold_from": "nnscaffold>=0.5"},
        {"contract": "package", "nnscaffold_from": SOURCE},
    ],
    # Asked together: without an image, nothing more is asked of one.
    "image": [
        {"docker": True, "base_image": "pytorch/pytorch:2.13.0-cuda13.0-cudnn9-runtime"},
        {"docker": True, "base_image": "localhost:5000/team/torch", "devcontainer": True},
        {"docker": True, "compose": True, "ssh_server": True},
        {"docker": False},
    ],
    # Asked together: a minimal repository is asked for no more.
    "profile": [
        {"exports": ["onnx", "torch-export"]},
        {"exports": ["prune"], "server": True, "fsdp": True, "trackers": ["mlflow"]},
        {"exports": [], "slurm": True, "sweep": True, "activation_checkpointing": True},
        {
            "exports": ["torch-export", "aoti", "executorch", "torchserve"],
            "trackers": ["wandb"],
            "warm_start": True,
            "workers": True,
        },
        {
            "exports": list(TARGETS),
            "server": True,
            "fsdp": True,
            "slurm": True,
            "sweep": True,
            "trackers": ["mlflow", "wandb"],
            "activation_checkpointing": True,
            "before_0_4": True,
            "warm_start": True,
            "workers": True,
        },
        {"profile": "minimal"},
    ],
}
# Any two values of two questions meet in at least one of these.
PAIRED = [dict(zip(CHOICES, row, strict=True)) for row in AllPairs(list(CHOICES.values()))]
TOGETHER = ("texts", "suite", "image", "profile")
ROWS = [
    {name: value for name, value in row.items() if name not in TOGETHER}
    | {name: value for group in TOGETHER for name, value in row[group].items()}
    for row in PAIRED
]

LICENCE_HEADS = {
    "MIT": "MIT License",
    "Apache-2.0": "                                 Apache License",
    "BSD-3-Clause": "BSD 3-Clause License",
    "Proprietary": "Copyright",
}
CI_FILES = {
    "github": {".github/workflows/ci.yml"},
    "gitlab": {".gitlab-ci.yml"},
    "none": set[str](),
}


class Rendered:
    """A repository and the answers that it was made from."""

    def __init__(self, answers: dict[str, Any], folder: Path) -> None:
        self.answers = answers
        self.folder = folder

    @property
    def is_minimal(self) -> bool:
        return bool(self.answers.get("profile") == "minimal")

    def text(self, path: str) -> str:
        return (self.folder / path).read_text(encoding="utf-8")

    def files(self, *suffixes: str) -> Iterator[Path]:
        for path in sorted(self.folder.rglob("*")):
            tool_output = any(part.endswith("_cache") for part in path.parts)
            if path.is_file() and not tool_output and (not suffixes or path.suffix in suffixes):
                yield path


def test_the_rows_cover_all_pairs() -> None:
    for (first, values), (second, others) in itertools.combinations(CHOICES.items(), 2):
        for value, other in itertools.product(values, others):
            assert any(row[first] == value and row[second] == other for row in PAIRED), (
                (first, value),
                (second, other),
            )


def every_file_can_be_read_in_its_language(rendered: Rendered) -> None:
    for path in rendered.files(".py"):
        ast.parse(path.read_bytes(), filename=str(path))
    for path in rendered.files(".toml"):
        tomllib.loads(path.read_text(encoding="utf-8"))
    for path in rendered.files(".yml", ".yaml"):
        assert yaml.safe_load(path.read_text(encoding="utf-8")), path
    for path in rendered.files(".json"):
        json.loads(path.read_text(encoding="utf-8"))


def the_answers_are_recorded_as_typed(rendered: Rendered) -> None:
    recorded = yaml.safe_load(rendered.text(".copier-answers.yml"))

    assert recorded | rendered.answers == recorded
    # What is not asked is not recorded.
    assert ("base_image" in recorded) is rendered.answers["docker"]
    assert ("nnscaffold_from" in recorded) is (rendered.answers["contract"] == "package")
    assert ("exports" in recorded) is (rendered.answers.get("profile") != "minimal")


def the_metadata_says_what_was_typed(rendered: Rendered) -> None:
    answers = rendered.answers
    project = tomllib.loads(rendered.text("pyproject.toml"))["project"]

    assert project["description"] == answers["description"]
    (author,) = project["authors"]
    assert author["name"] == answers["author_name"]
    assert author.get("email", "") == answers["author_email"]
    if "email" in author:
        # The form in which a build writes an author: refuses what is no address.
        Address(display_name=author["name"], addr_spec=author["email"])
    assert project["requires-python"] == f">={answers['python_min']}"
    assert f"torch>={answers['torch_min']}" in project["dependencies"]
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", project["name"])
    assert project["name"].replace("-", "") == answers["package"].replace("_", "")


def the_readme_says_what_was_typed(rendered: Rendered) -> None:
    answers = rendered.answers
    readme = rendered.text("README.md")

    title, _, description = readme.splitlines()[:3]
    assert title == f"# {answers['project_name']}"
    assert description == answers["description"]
    assert f"python -m {answers['package']}.train" in readme
    assert answers["author_name"] in readme


def the_runs_of_the_readme_do_not_collide(rendered: Rendered) -> None:
    """Who types its commands from top to bottom never names a folder that holds a run."""
    begun = r"(?:--output-dir runs/|train_tmux\.py start |train\.sbatch )(\w+)"
    names = re.findall(begun, rendered.text("README.md"))
    assert len(names) >= (0 if rendered.is_minimal else 3)
    assert len(names) == len(set(names)), names


def the_readme_is_short(rendered: Rendered) -> None:
    most = (95 if rendered.answers["docker"] else 80) if rendered.is_minimal else 230
    assert len(rendered.text("README.md").splitlines()) <= most


def the_licence_is_the_chosen_one(rendered: Rendered) -> None:
    answers = rendered.answers
    text, chosen = rendered.text("LICENSE"), answers["license"]
    project = tomllib.loads(rendered.text("pyproject.toml"))["project"]

    assert text.startswith(LICENCE_HEADS[chosen])
    # The Apache licence is a fixed text; who holds the copyright stands in the README.
    assert (answers["author_name"] in text) is (chosen != "Apache-2.0")
    assert project["license-files"] == ["LICENSE"]
    if chosen == "Proprietary":
        assert "All rights reserved" in text
        assert project["license"] == "LicenseRef-Proprietary"
        assert project["classifiers"] == ["Private :: Do Not Upload"]
    else:
        assert project["license"] == chosen
        assert "classifiers" not in project


def the_workflow_is_that_of_the_chosen_service(rendered: Rendered) -> None:
    chosen = rendered.answers["ci"]
    present = {
        path.relative_to(rendered.folder).as_posix()
        for path in rendered.files()
        if path.name == ".gitlab-ci.yml" or ".github" in path.parts
    }
    assert present == CI_FILES[chosen]
    mentioned = {"github": "GitHub", "gitlab": "GitLab", "none": None}
    for service, name in mentioned.items():
        if name:
            assert (name in rendered.text("README.md")) is (service == chosen)
    if chosen == "none":
        return

    (path,) = present
    workflow = yaml.safe_load(rendered.text(path))
    supported = PYTHONS[PYTHONS.index(rendered.answers["python_min"]) :]
    if chosen == "github":
        assert workflow["permissions"] == {"contents": "read"}
        jobs = workflow["jobs"]
        assert jobs["test"]["strategy"]["matrix"]["python"] == supported
        assert all("timeout-minutes" in job for job in jobs.values())
        commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    else:
        assert workflow["test"]["parallel"]["matrix"] == [{"PYTHON": supported}]
        assert all("timeout" in workflow[job] for job in workflow["stages"])
        commands = workflow["default"]["before_script"] + [
            command for job in workflow["stages"] for command in workflow[job]["script"]
        ]
    text = "\n".join(commands)
    for command in ("ruff check", "ruff format --check", "mypy", "pytest", "install -e '.[dev]'"):
        assert command in text
    # The address of an index of torch is the team's to give.
    assert "$TORCH_INDEX" in text
    assert "://" not in text


def the_image_is_the_chosen_one(rendered: Rendered) -> None:
    if image := rendered.answers.get("base_image"):
        assert f"ARG BASE_IMAGE={image}\n" in rendered.text("Dockerfile")


def the_exports_are_the_chosen_ones(rendered: Rendered) -> None:
    chosen = rendered.answers.get("exports", [])
    package = f"src/{rendered.answers['package']}"
    present = {path.name for path in rendered.files() if path.parent.name == "export"}
    commands = re.findall(r"\.export ([\w-]+)", rendered.text("README.md"))
    extras = tomllib.loads(rendered.text("pyproject.toml"))["project"]["optional-dependencies"]

    assert (rendered.folder / package / "export").exists() is bool(chosen)
    assert ("## Export" in rendered.text("README.md")) is bool(chosen)
    assert set(commands) == set(chosen)
    for target, file in TARGETS.items():
        assert (file in present) is (target in chosen), target
    for extra in ("onnx", "quantize", "executorch", "triton"):
        assert (extra in extras) is (extra in chosen), extra
    servers = {"torchserve": "TorchServe", "triton": "Triton"}
    assert (rendered.folder / "serve").exists() is bool(servers.keys() & set(chosen))
    for target, name in (servers | {"executorch": "ExecuTorch"}).items():
        speaking = [
            path
            for path in rendered.files()
            if path.name != ".copier-answers.yml" and name in path.read_text(encoding="utf-8")
        ]
        assert bool(speaking) is (target in chosen), speaking


def the_requirements_are_those_of_the_task(rendered: Rendered) -> None:
    extras = tomllib.loads(rendered.text("pyproject.toml"))["project"]["optional-dependencies"]

    required = " ".join(extras.get("train", []))
    assert ("scikit-learn" in required) is (rendered.answers["task"] in ("digits", "tabular"))
    assert ("tensorboard" in required) is not rendered.is_minimal
    for tracker in ("mlflow", "wandb"):
        assert (tracker in extras) is (tracker in rendered.answers.get("trackers", []))


def the_suite_comes_from_where_was_chosen(rendered: Rendered) -> None:
    pyproject = tomllib.loads(rendered.text("pyproject.toml"))
    required = pyproject["project"]["optional-dependencies"]["dev"]
    source = rendered.answers.get("nnscaffold_from")
    is_installed = rendered.answers["contract"] == "package"

    assert (rendered.folder / "tests" / "module_contract").exists() is not is_installed
    assert [each for each in required if "nnscaffold" in each] == ([source] if is_installed else [])
    # Without it, hatchling builds nothing that requires an address.
    metadata = {"allow-direct-references": True} if source == SOURCE else None
    assert pyproject["tool"]["hatch"].get("metadata") == metadata
    places = {"tests.module_contract": not is_installed, "nnscaffold.contract": is_installed}
    tests = [path.read_text() for path in rendered.files(".py") if path.parent.name == "models"]
    for place, is_chosen in places.items():
        line = f"from {place} import ModuleContract"
        assert bool([text for text in tests if line in text]) is (
            is_chosen and rendered.answers["task"] != "blank"
        )
    for path in rendered.files(".yml", ".yaml"):
        if path.name in ("ci.yml", ".gitlab-ci.yml", ".pre-commit-config.yaml"):
            assert ("nnscaffold check" in path.read_text()) is is_installed, path


def what_is_turned_off_leaves_no_trace(rendered: Rendered) -> None:
    for path in rendered.folder.rglob("*"):
        assert path.is_file() or any(path.iterdir()), f"{path} is empty"
        assert path.is_dir() or path.stat().st_size or path.name == "py.typed", f"{path} is empty"
    for path in rendered.files():
        text = path.read_text(encoding="utf-8")
        if not text:
            continue
        assert text.endswith("\n"), path
        assert not text.endswith("\n\n"), f"{path} ends in a blank line"
        # Two blank lines are right in Python, and in the examples in the page on the contract.
        if path.suffix != ".py" and path.parent.name != "docs":
            assert "\n\n\n" not in text, f"{path} has a gap"


def nothing_typed_reaches_the_code(rendered: Rendered) -> None:
    typed = [rendered.answers[name] for name in ("project_name", "description", "author_name")]
    for path in rendered.files(".py"):
        text = path.read_text(encoding="utf-8")
        assert not any(value in text for value in typed), path


def lint_and_format_pass(rendered: Rendered, program: Program) -> None:
    program(rendered.folder, "ruff", "check", "--no-cache", "--quiet")
    program(rendered.folder, "ruff", "format", "--no-cache", "--quiet", "--check")


@pytest.mark.parametrize("answers", ROWS)
def test_a_repository_is_what_the_answers_say(
    answers: dict[str, Any],
    render: Render,
    program: Program,
) -> None:
    # One test, since rendering takes longer than all that is looked at.
    rendered = Rendered(answers, render(**answers))

    every_file_can_be_read_in_its_language(rendered)
    the_answers_are_recorded_as_typed(rendered)
    the_metadata_says_what_was_typed(rendered)
    the_readme_says_what_was_typed(rendered)
    the_runs_of_the_readme_do_not_collide(rendered)
    the_licence_is_the_chosen_one(rendered)
    the_workflow_is_that_of_the_chosen_service(rendered)
    the_readme_is_short(rendered)
    the_image_is_the_chosen_one(rendered)
    the_requirements_are_those_of_the_task(rendered)
    the_exports_are_the_chosen_ones(rendered)
    the_suite_comes_from_where_was_chosen(rendered)
    what_is_turned_off_leaves_no_trace(rendered)
    nothing_typed_reaches_the_code(rendered)
    lint_and_format_pass(rendered, program)


@pytest.mark.slow
@pytest.mark.parametrize("python_min", PYTHONS)
def test_types_pass(python_min: str, render: Render, program: Program) -> None:
    answers = next(row for row in ROWS if row["python_min"] == python_min and "profile" not in row)
    program(render(**answers | {"exports": list(TARGETS)}), "mypy")


@pytest.mark.parametrize(
    ("answer", "is_good"),
    [
        ("nnscaffold>=0.5", True),
        ("nnscaffold >= 0.5, <0.7", True),
        ("nnscaffold==0.5.1.dev3", True),
        (f"{SOURCE}#subdirectory=python", True),
        ("nnscaffold@file:///srv/wheels/nnscaffold-0.5.0-py3-none-any.whl", True),
        ("nnscaffold", False),
        ("nnscaffold>=0.5\n", False),
        ("nnscaffold>=0.5\nother", False),
        ('nnscaffold>=0.5", "other', False),
        ("nnscaffold @ https://x/'", False),
        ("nnscaffold @ https://x/\\", False),
        ("nnscaffold @ {root:uri}", False),
        ("other>=0.5", False),
        ("", False),
    ],
)
def test_a_requirement_of_the_suite_is_one_line_without_quotes(answer: str, is_good: bool) -> None:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROOT),
        extensions=["jinja2_ansible_filters.AnsibleCoreFiltersExtension"],
    )
    rules: Any = environment.get_template("template/answers/rules.jinja").module
    assert (str(rules.nnscaffold_from(answer)) == "") is is_good
    if is_good:
        assert Requirement(answer).name == "nnscaffold"


@pytest.mark.parametrize("package", ["nnscaffold", "nnscaffold__", "scaffolder"])
def test_a_package_that_hides_the_suite_keeps_its_copy(package: str, render: Render) -> None:
    with pytest.raises(AssertionError, match="hides that of the suite; choose vendored"):
        render(package=package, contract="package")
    assert (render(package=package) / "tests" / "module_contract").is_dir()


@pytest.mark.slow
def test_types_of_a_minimal_repository_pass(render: Render, program: Program) -> None:
    program(render(profile="minimal"), "mypy")
