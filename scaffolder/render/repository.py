"""A whole repository, rendered by Copier."""

from __future__ import annotations

import errno
import os
import re
import tempfile
import warnings
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from scaffolder.errors import AnswerRefused, BadInput, MachineFailure, ScaffoldError
from scaffolder.git import GitFailed
from scaffolder.project import ANSWERS_FILE
from scaffolder.render.module import Rendered
from scaffolder.spec import closest

if TYPE_CHECKING:
    from scaffolder.project import Project
    from scaffolder.spec import ModuleSpec

_REFUSED = re.compile(r"(?:Validation error for question|Invalid choice for) '(\w+)': (.+)")

_NO_LIST = re.compile(r"Not a YAML list: (.+)")

# All else that Copier is given for yes or no, a misspelt no included, counts as a yes.
_YES_AND_NO = {"y", "yes", "t", "true", "on", "1", "n", "no", "f", "false", "off", "0"}


def render_repository(
    source: str,
    version: str | None,
    folder: Path,
    answers: dict[str, Any],
    *,
    suggestions: dict[str, str] | None = None,
    ask: bool = False,
) -> None:
    """Render a template into an empty folder.

    Args:
        source: The template's address.
        version: Its tag, branch or commit; the latest release if None.
        folder: Where to.
        answers: Answers that are given and not asked for.
        suggestions: Defaults that are better than the template's.
        ask: Whether to ask on the terminal for what is not given.

    Raises:
        BadInput: An answer is unknown or invalid, or the template is not available or not safe.
        MachineFailure: The disk is full, or the like.
    """
    import copier
    import copier.errors

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Copier would record a commit that is nowhere but in a scratch folder of its own.
        warnings.simplefilter("error", copier.errors.DirtyLocalWarning)
        try:
            worker = copier.run_copy(
                source,
                folder,
                data=answers,
                user_defaults=suggestions or {},
                vcs_ref=version,
                defaults=not ask,
                quiet=True,
                overwrite=True,
                settings=copier.Settings(),  # not the user's: they could trust a template
            )
        except copier.errors.UnsafeTemplateError as error:
            raise BadInput(
                "template-unsafe",
                f"The template {source} would run commands of its own on this machine.",
                "Use a template without tasks, migrations and Jinja extensions.",
            ) from error
        except copier.errors.DirtyLocalWarning as error:
            raise BadInput(
                "template-dirty",
                f"The template {source} has uncommitted changes.",
                "Commit them first.",
            ) from error
        except (copier.errors.CopierAnswersInterrupt, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        except Exception as error:
            raise _explained(error, source, version, answers) from error
        questions = worker.template.questions_data
    if unknown := [key for key in answers if key not in questions]:
        raise BadInput(
            "answer-unknown",
            f"The template has no question '{unknown[0]}'.",
            f"{closest(unknown[0], questions)}It has: {', '.join(questions)}.",
        )
    for key, answer in answers.items():
        if _is_yes_or_no(questions[key]) and str(answer).strip().lower() not in _YES_AND_NO:
            raise AnswerRefused(key, "Write yes or no.")


def render_module_by_copier(project: Project, module: ModuleSpec) -> Rendered:
    """What `render_module` gives, for templates that only Copier can render.

    Raises:
        BadInput: The template cannot be rendered, or makes more of a module than texts.
        MachineFailure: The disk is full, or the like.
    """
    answers = project.answers
    recorded = {key: value for key, value in answers.items() if not str(key).startswith("_")}
    entries = [known.to_entry() for known in project.modules]
    with tempfile.TemporaryDirectory(prefix="nnscaffold-") as scratch:
        trees = []
        for name, modules in (("without", entries), ("with", [*entries, module.to_entry()])):
            folder = Path(scratch, name)
            given = recorded | {"modules": modules}
            render_repository(project.source, project.version, folder, given)
            trees.append(_files(folder))
    without, with_it = trees
    rendered = Rendered({}, {})
    for path in sorted(without.keys() | with_it.keys()):
        before, after = without.get(path), with_it.get(path)
        if before == after:
            continue
        if after is None:
            raise _unsupported(project, path, "disappear")
        if after.is_link or (before and before.is_link):
            raise _unsupported(project, path, "a link")
        if after.is_executable != (before is not None and before.is_executable):
            what = "executable" if after.is_executable else "no longer executable"
            raise _unsupported(project, path, what)
        try:
            if before is None:
                rendered.new[path] = after.content.decode()
            else:
                rendered.changed[path] = (before.content.decode(), after.content.decode())
        except UnicodeDecodeError as error:
            raise _unsupported(project, path, "a file that is not UTF-8 text") from error
    return rendered


def _is_yes_or_no(question: Any) -> bool:
    details = question if isinstance(question, dict) else {"default": question}
    return (details.get("type") or type(details.get("default")).__name__) == "bool"


class _File(NamedTuple):
    content: bytes
    is_link: bool
    is_executable: bool


def _files(folder: Path) -> dict[PurePosixPath, _File]:
    """All files but the answers, links included and not followed."""
    files = {}
    for path in folder.rglob("*"):
        name = PurePosixPath(path.relative_to(folder))
        if path.is_symlink():
            files[name] = _File(os.fsencode(path.readlink()), True, False)
        elif path.is_file() and str(name) != ANSWERS_FILE:
            is_executable = bool(path.stat().st_mode & 0o111)
            files[name] = _File(path.read_bytes(), False, is_executable)
    return files


def _unsupported(project: Project, path: PurePosixPath, what: str) -> BadInput:
    return BadInput(
        "template-unsupported",
        f"For this module, the template {project.source} makes {path} {what}; only plain text "
        "files can come and change with a module.",
        "Use another kind, or fix the template.",
    )


def _explained(
    error: Exception, source: str, version: str | None, answers: dict[str, Any]
) -> ScaffoldError:
    """Copier's error, as a sentence that says what was wrong and what to do."""
    reason = " ".join(str(error).split())
    if found := _REFUSED.match(reason):
        return AnswerRefused(*found.groups())
    if found := _NO_LIST.match(reason):
        # Of which question, Copier does not say.
        key = next(key for key, answer in answers.items() if repr(answer) == found[1])
        return AnswerRefused(key, "Write a list in brackets, such as [one, another], or [].")
    git_said = getattr(error, "stderr", None)  # of the git that Copier ran
    if isinstance(git_said, str):
        reason = GitFailed((), git_said).reason
    # Git reports a full disk in words only.
    full = os.strerror(errno.ENOSPC)
    # An error of Jinja's, a missing template, is an OSError, too, but has no number.
    if full in reason or (isinstance(error, OSError) and error.errno and git_said is None):
        what = full if full in reason else error.strerror or reason  # type: ignore[attr-defined]
        return MachineFailure(
            "write-failed",
            f"The repository cannot be written: {what}.",
            "Free some space, or choose another place.",
        )
    at = f" at {version}" if version else ""
    return BadInput(
        "template-unavailable",
        f"The template {source}{at} cannot be used: {reason.rstrip('.')}.",
        "Check its address and version, and that it is a git repository with a copier.yml.",
    )
