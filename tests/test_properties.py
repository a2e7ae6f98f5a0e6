"""Whatever is typed: a clear refusal with nothing written, or files that say what was typed."""

from __future__ import annotations

import ast
import json
import keyword
import shutil
import tomllib
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from scaffolder.add import add_module
from scaffolder.create import create_project
from scaffolder.errors import BadInput
from scaffolder.git import ISOLATED, git
from scaffolder.project import ANSWERS_FILE
from scaffolder.working_template import template_files

ROOT = Path(__file__).resolve().parent.parent
# A file that has one of these can hold what was typed, or another that does.
REACHING = ("project_name", "description", "author_name", "_copier", "include ")
LONG_NAMES = [letter * length for letter in "Aa" for length in (40, 41, 200)]
ODD_NAMES = [
    *("", " ", "Linear", "torch", "Torch", "True", "None", "class", "Class", "ValueError"),
    *("convblock", "CONVBLOCK", "Convblock", "ConvBlock", "conv_block"),
    *("Größe", "层", "É", "A.B", "../A", "a/b", "/A", "A\\B", "A B", "A\nB", "A\x00B", "--kind"),
    *("{{ 7*7 }}", "A'B", 'A"B', "🎉", "Test", "TestNet", "\ud800", "1A", "A1", "A" * 40),
]
TEXTS = [
    *(
        '"',
        "'",
        '"""',
        "'''",
        "\\",
        "\\n",
        "{{ 7*7 }}",
        "{% raw %}",
        "{# x #}",
        "# x",
        "a: b",
        "- a",
    ),
    *(
        "a: b",
        "🎉",
        "层",
        "é",
        "%s",
        "$(x)",
        "`x`",
        "<b>",
        "null",
        "true",
        "1",
        "~",
        "*",
        "&a",
        "!x",
    ),
    *("two\nlines", "tab\t", "\x00", "\x7f", "\x85", "\u2028", "\u2029", "\ud800", "\ufeff"),
    *("", " ", " padded ", "x" * 200, "x" * 201, "]", "}", '"]', "a = 1", "[x]"),
]
CAP_WORDS = st.from_regex(r"[A-Z][A-Za-z0-9]{0,45}", fullmatch=True)
SETTINGS = settings(
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(folder).parts
    }


def require_sentence(refused: BadInput) -> None:
    assert refused.message.endswith(".")
    assert refused.hint.endswith(".")


def require_parsable(folder: Path) -> None:
    """Every file of a format that a program reads can be read by such a program."""
    for path in folder.rglob("*"):
        if not path.is_file() or ".git" in path.relative_to(folder).parts:
            continue
        text = path.read_text(encoding="utf-8")
        match path.suffix:
            case ".py":
                ast.parse(text)
            case ".toml":
                tomllib.loads(text)
            case ".yml" | ".yaml":
                yaml.safe_load(text)
            case ".json":
                json.loads(text)


@pytest.mark.parametrize("name", [*LONG_NAMES, *ODD_NAMES])
def test_an_odd_name_is_refused_or_works(repository: Path, name: str) -> None:
    before = snapshot(repository)
    try:
        module = add_module(repository, name, "layer", kind="linear").module
    except BadInput as refused:
        require_sentence(refused)
        assert snapshot(repository) == before
    else:
        require_parsable(repository)
        text = (repository / "src/digits/layers" / f"{module.file}.py").read_text()
        classes = [node.name for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
        assert classes == [name]


@SETTINGS
@given(
    name=st.one_of(st.text(max_size=45), st.from_regex(r"[A-Z][A-Za-z0-9]{0,45}", fullmatch=True))
)
def test_any_name_is_refused_or_would_work(repository: Path, name: str) -> None:
    try:
        addition = add_module(repository, name, "layer", kind="linear", dry_run=True)
    except BadInput:
        return
    assert name.isidentifier()
    assert not keyword.iskeyword(addition.module.file)
    for change in addition.changes:
        if change.path.suffix == ".py":
            ast.parse(change.after)
    manifest = yaml.safe_load(addition.changes[-1].after)["modules"]
    assert manifest[-1]["name"] == name


@pytest.fixture(scope="session")
def texts_template(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The template with those of its files alone that a free text can reach, for they are few."""
    folder = tmp_path_factory.mktemp("texts") / "template"
    for path in template_files(ROOT):
        name = path.relative_to(ROOT)
        text = path.read_text(encoding="utf-8")
        reached = path.suffix == ".jinja" and any(word in text for word in REACHING)
        if reached or "project" not in name.parts:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder / name)
    git("init", "-q", cwd=folder)
    git("add", "-A", cwd=folder)
    git("commit", "-q", "-m", "x", cwd=folder, environment=ISOLATED)
    git("tag", "v1.0.0", cwd=folder)
    return str(folder)


def make(folder: Path, answers: dict[str, str], source: str | None = None) -> bool:
    """Make a repository and hold it to what was typed; say whether it was made."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        create_project(folder / "made", answers, source=source, commit=False)
    except BadInput as refused:
        require_sentence(refused)
        assert list(folder.iterdir()) == []
        return False
    require_parsable(folder / "made")
    recorded = yaml.safe_load((folder / "made" / ANSWERS_FILE).read_text(encoding="utf-8"))
    assert {key: recorded[key] for key in answers} == answers
    metadata = tomllib.loads((folder / "made" / "pyproject.toml").read_text(encoding="utf-8"))
    if "description" in answers:
        assert metadata["project"]["description"] == answers["description"]
    if "author_name" in answers:
        assert metadata["project"]["authors"][0]["name"] == answers["author_name"]
    return True


@pytest.mark.slow
@pytest.mark.parametrize("number", range(4))
def test_odd_texts_are_refused_or_come_out_as_typed(
    tmp_path: Path, texts_template: str, number: int
) -> None:
    outcomes = [
        make(
            tmp_path / "x",
            {"description": text, "author_name": text, "package": "x"},
            texts_template,
        )
        for text in TEXTS[number::4]
    ]
    assert any(outcomes)
    assert not all(outcomes)


@settings(SETTINGS, max_examples=12)
@given(text=st.text(min_size=1, max_size=60), title=st.text(min_size=1, max_size=20))
@example(text="x", title="{{ 7*7 }}")
@example(text="x", title='"""')
def test_any_text_is_refused_or_comes_out_as_typed(
    tmp_path: Path, texts_template: str, text: str, title: str
) -> None:
    answers = {"description": text, "project_name": title, "package": "x"}
    make(tmp_path / "x", answers, texts_template)


@pytest.mark.parametrize(
    "package",
    ["random", "class", "Größe", "a.b", "a/b", "", "A", "x" * 31, "1x", "_x", "a-b", "a b"],
)
def test_a_package_that_could_not_be_imported_is_refused(tmp_path: Path, package: str) -> None:
    assert not make(tmp_path / "x", {"package": package})


@pytest.mark.parametrize("package", ["x", "x" * 30, "a_b_1"])
def test_other_packages_are_made(tmp_path: Path, package: str) -> None:
    assert make(tmp_path / "x", {"package": package})
