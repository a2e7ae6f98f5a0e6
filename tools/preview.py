"""Show what a change of the template means for the repositories that it makes.

Usage: python tools/preview.py [--base REF] [--lines N] [-d KEY=VALUE]...

Renders repositories from the template of a commit and from that of the work tree, with the default
answers, with every part that can be chosen and with none, and for each task and profile; prints how
they differ, a difference only once. With answers given, those alone.
"""

from __future__ import annotations

import argparse
import io
import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import yaml

from scaffolder.bundle import read_header
from scaffolder.errors import AnswerRefused, BadInput, ScaffoldError
from scaffolder.project import ANSWERS_FILE
from scaffolder.render.repository import render_repository
from scaffolder.store import RELEASES, gather
from scaffolder.working_template import template_files

ROOT = Path(__file__).resolve().parent.parent
SIDES = ("before", "after")
# Questions whose choices each make another sort of repository.
SORTS = ("task", "profile", "contract")
# What would differ from one machine or year to the next.
FIXED = {"author_name": "Ada Example", "copyright_year": "2026"}


def main() -> None:
    """Print the difference; exit with 2 where it cannot be made."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--base", default="HEAD", metavar="REF", help="compare with this commit")
    parser.add_argument("--lines", type=int, metavar="N", help="print N lines at most")
    parser.add_argument(
        "-d", dest="answers", action="append", default=[], metavar="KEY=VALUE", help="an answer"
    )
    options = parser.parse_args()
    given = [answer.partition("=") for answer in options.answers]
    if wrong := [key for key, equals, _ in given if not (key and equals)]:
        parser.error(f"'{wrong[0]}' is not an answer: write -d KEY=VALUE.")
    with tempfile.TemporaryDirectory(prefix="nnscaffold-preview-") as scratch:
        folder = Path(scratch)
        try:
            _export(options.base, folder / "template-before", folder / "releases")
            _copy_work_tree(folder / "template-after")
            _render_all(folder, {key: value for key, _, value in given}, options.base)
        except ScaffoldError as error:
            parser.error(f"{error.message} {error.hint}")
        _print_difference(folder, options.lines)


def _export(base: str, folder: Path, releases: Path) -> None:
    """Write the template of a commit to a folder; a clone may lack the tags of releases."""
    repository = ROOT
    if base in read_header(RELEASES).tags:
        gather(releases, RELEASES)
        repository = releases
    command = ["git", "archive", "--format=tar", base, "--", "copier.yml", "template"]
    archive = subprocess.run(command, cwd=repository, capture_output=True, check=False)
    if archive.returncode:
        reason = archive.stderr.decode(errors="replace").strip()
        raise BadInput("base-unknown", f"'{base}' has no template: {reason}.", "Name a commit.")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")


def _copy_work_tree(folder: Path) -> None:
    for file in template_files(ROOT):
        copy = folder / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)


def _render_all(folder: Path, given: dict[str, str], base: str) -> None:
    """Render before/SET and after/SET for each set of answers, without what another set shows."""
    old, new = (_questions(folder / f"template-{side}") for side in SIDES)
    sets: dict[str, dict[str, Any]] = {"answers": given} if given else _sets(new)
    left_out: set[str] = set()
    shown: set[tuple[Path, tuple[bytes, ...]]] = set()
    for name, chosen in sets.items():
        answers = {key: value for key, value in FIXED.items() if key in new} | chosen
        _render(folder / "template-after", folder / "after" / name, answers)
        earlier = {key: value for key, value in answers.items() if key in old}
        left_out |= answers.keys() - earlier.keys()
        left_out |= _render_earlier(folder / "template-before", folder / "before" / name, earlier)
        both = [folder / side / name for side in SIDES]
        for path in {file.relative_to(side) for side in both for file in _files(side)}:
            texts = (path, tuple(_content(side / path) for side in both))
            if texts in shown:
                for side in both:
                    (side / path).unlink(missing_ok=True)
            shown.add(texts)
    if left_out:
        names = ", ".join(sorted(left_out))
        print(f"Left out for {base}, whose template refuses it: {names}\n", flush=True)


def _questions(template: Path) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((template / "copier.yml").read_text(encoding="utf-8"))
    return {key: value for key, value in config.items() if not key.startswith("_")}


def _sets(questions: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The answers to render with: the defaults, every part, none, and each other sort."""
    sets = {"default": {}, "all-parts": _parts(questions, chosen=True)}
    sets["no-parts"] = _parts(questions, chosen=False)
    for key in SORTS:
        if key in questions:
            for choice in _choices(questions[key]):
                if choice != questions[key]["default"]:
                    sets[f"{key}-{choice}"] = {key: choice}
    return sets


def _choices(question: dict[str, Any]) -> list[Any]:
    choices = question["choices"]
    return list(choices.values() if isinstance(choices, dict) else choices)


def _parts(questions: dict[str, Any], *, chosen: bool) -> dict[str, Any]:
    """Answers that choose every part, or none: to all that is a yes or no, or a list of choices."""
    answers: dict[str, Any] = {}
    for key, question in questions.items():
        if question.get("type") == "bool":
            answers[key] = chosen
        elif question.get("multiselect"):
            answers[key] = _choices(question) if chosen else []
    return answers


def _render_earlier(template: Path, folder: Path, answers: dict[str, Any]) -> set[str]:
    """Render a template that may be older than the answers; return those that it refuses."""
    left_out: set[str] = set()
    while True:
        try:
            _render(template, folder, answers)
        except AnswerRefused as error:
            left_out.add(error.question)
            answers = {key: value for key, value in answers.items() if key not in left_out}
            shutil.rmtree(folder, ignore_errors=True)
        else:
            return left_out


def _render(template: Path, folder: Path, answers: dict[str, Any]) -> None:
    render_repository(str(template), None, folder, answers)
    recorded = folder / ANSWERS_FILE  # names the folder that this template lies in
    text = recorded.read_text(encoding="utf-8")
    recorded.write_text(re.sub(r"(?m)^_(?:src_path|commit): .*\n", "", text), encoding="utf-8")


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() or path.is_symlink()]


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def _print_difference(folder: Path, lines: int | None) -> None:
    """Print a summary and the difference: in git's pager and colours on a terminal."""
    command = ["git", "diff", "--no-index", "--no-prefix", "--stat=100", "--patch", "--", *SIDES]
    if lines is None:
        status = subprocess.run(command, cwd=folder, check=False).returncode
    else:
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        status, printed = result.returncode, result.stdout.splitlines()
        left_out = len(printed) - lines
        print("\n".join(printed[:lines] + [f"... and {left_out} lines more"] * (left_out > 0)))
    if status == 0:
        print("The repositories are the same.")


if __name__ == "__main__":
    main()
