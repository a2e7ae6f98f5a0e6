"""A whole repository, rendered by Copier."""

from __future__ import annotations

import errno
import os
import re
import tempfile
import warnings
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from scaffolder.errors import BadInput, MachineFailure, ScaffoldError
from scaffolder.project import ANSWERS_FILE
from scaffolder.render.module import Rendered
from scaffolder.spec import closest

if TYPE_CHECKING:
    from scaffolder.project import Project
    from scaffolder.spec import ModuleSpec

_REFUSED = re.compile(r"(?:Validation error for question|Invalid choice for) '(\w+)': (.+)")


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
        version: Its tag, branch or commit; the newest release if None.
        folder: Where to.
        answers: Answers that are given and not asked for.
        suggestions: Defaults that are better than the template's.
        ask: Whether to ask on the terminal for what is not given.

    Raises:
        BadInput: An answer is unknown or refused, or the template cannot be had or not be trusted.
        MachineFailure: The disk is full, or the like.
    """
    import copier
    import copier.errors

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
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
            )
        except copier.errors.UnsafeTemplateError as error:
            raise BadInput(
                "template-unsafe",
                f"The template {source} would run commands of its own on this machine.",
                "Use a template without tasks, migrations and Jinja extensions.",
            ) from error
        except (copier.errors.CopierAnswersInterrupt, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        except Exception as error:
            raise _explained(error, source, version) from error
        questions = worker.template.questions_data
    if unknown := [key for key in answers if key not in questions]:
        raise BadInput(
            "answer-unknown",
            f"The template asks no question '{unknown[0]}'.",
            f"{closest(unknown[0], questions)}It asks: {', '.join(questions)}.",
        )


def render_module_by_copier(project: Project, module: ModuleSpec) -> Rendered:
    """What `render_module` gives, for templates that only Copier can render."""
    recorded = {key: value for key, value in project.answers.items() if not key.startswith("_")}
    entries = [known.to_entry() for known in project.modules]
    with tempfile.TemporaryDirectory(prefix="nnscaffold-") as scratch:
        trees = []
        for name, modules in (("without", entries), ("with", [*entries, module.to_entry()])):
            folder = Path(scratch, name)
            answers = recorded | {"modules": modules}
            render_repository(project.source, project.version, folder, answers)
            trees.append(_texts(folder))
    without, with_it = trees
    new = {path: text for path, text in with_it.items() if path not in without}
    changed = {
        path: (without[path], text)
        for path, text in with_it.items()
        if path in without and without[path] != text
    }
    return Rendered(new, changed)


def _texts(folder: Path) -> dict[PurePosixPath, str]:
    return {
        PurePosixPath(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file() and path.name != ANSWERS_FILE and b"\0" not in path.read_bytes()
    }


def _explained(error: Exception, source: str, version: str | None) -> ScaffoldError:
    """Copier's error, as a sentence that says what was wrong and what to do."""
    reason = " ".join(str(error).split())
    if found := _REFUSED.match(reason):
        question, sentence = found.groups()
        return BadInput(
            "answer-invalid",
            f"The answer to '{question}' is refused: {sentence.rstrip('.')}.",
            f"Give another one with -d {question}=VALUE.",
        )
    # Git, which Copier runs, reports a full disk in words only.
    if isinstance(error, OSError) or os.strerror(errno.ENOSPC) in reason:
        return MachineFailure(
            "write-failed",
            f"The repository cannot be written: {_last_words(error, reason)}.",
            "Free some space, or choose another place.",
        )
    at = f" at {version}" if version else ""
    return BadInput(
        "template-unavailable",
        f"The template {source}{at} cannot be used: {reason.rstrip('.')}.",
        "Check its address and version, and that it is a git repository with a copier.yml.",
    )


def _last_words(error: Exception, reason: str) -> str:
    if os.strerror(errno.ENOSPC) in reason:
        return os.strerror(errno.ENOSPC)
    return getattr(error, "strerror", None) or reason
