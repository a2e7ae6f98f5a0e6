"""The application: its commands, and what happens to an error."""

from __future__ import annotations

import os
import signal
import sys
from typing import Annotated

import typer

from scaffolder import __version__
from scaffolder.cli.kinds import show_kinds
from scaffolder.cli.new_module import new_layer, new_model
from scaffolder.cli.new_project import new_project
from scaffolder.cli.output import Output, OutputFailed
from scaffolder.errors import BadInput, MachineFailure, ScaffoldError

INTERRUPTED = 130

# A git hook exports these: they would point every git started here at the wrong repository.
_GIT_REPOSITORY_VARIABLES = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
)

app = typer.Typer(
    name="nnscaffold",
    help="PyTorch repositories and modules that keep the module contract.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
new = typer.Typer(help="Make a repository, or a module in one.", no_args_is_help=True)
new.command("project")(new_project)
new.command("layer")(new_layer)
new.command("model")(new_model)
app.add_typer(new, name="new")
app.command("kinds")(show_kinds)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"nnscaffold {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """PyTorch repositories and modules that keep the module contract."""


def main() -> None:
    """Run the command line and end the process with its exit code."""
    for variable in _GIT_REPOSITORY_VARIABLES:
        os.environ.pop(variable, None)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        code = _run(Output("--json" in sys.argv, plain="--no-color" in sys.argv))
    except (BrokenPipeError, OutputFailed) as error:
        # Typer, too, ends with 1 where the reader of our output has seen enough, as `head` has.
        code = 1
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if isinstance(error, OutputFailed):
            print(f"Error: The output could not be written: {error}.", file=sys.stderr)
    sys.exit(code)


def _end(number: int, _: object) -> None:
    """End as an exception does, so that what was begun is put back first."""
    sys.exit(128 + number)


def _run(output: Output) -> int:
    try:
        code = app(standalone_mode=False) or 0
    except ScaffoldError as error:
        output.error(error)
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except (BrokenPipeError, OutputFailed):
        raise
    except Exception as error:
        failure = _explain(error)
        if failure.message:
            output.error(failure)
        return failure.exit_code
    if code == INTERRUPTED:
        output.error(ScaffoldError("interrupted", "Interrupted.", "Run the command again."))
    return int(code)


def _explain(error: Exception) -> ScaffoldError:
    # Typer has no public name for the class that its errors of usage share.
    if isinstance(error, typer.BadParameter.__mro__[1]):
        return _wrong_usage(error)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return MachineFailure(
            "machine",
            f"The machine refused: {where}{error.strerror or error}.",
            "Check that the folder is there, may be written and has room.",
        )
    return _unexpected(error)


def _wrong_usage(error: Exception) -> BadInput:
    """Typer's message, which is empty where it has shown the help instead."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "nnscaffold"
    message = getattr(error, "format_message", lambda: str(error))().strip()
    if message and not message.endswith((".", "?", "!")):
        message += "."
    return BadInput("wrong-usage", message, f"See `{command} --help`.")


def _unexpected(error: Exception) -> MachineFailure:
    """A fault of ours: kept whole in a file, told in a sentence."""
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile(
        "w", prefix="nnscaffold-error-", suffix=".log", delete=False, encoding="utf-8"
    ) as log:
        traceback.print_exception(error, file=log)
    return MachineFailure(
        "internal",
        f"nnscaffold failed: {type(error).__name__}: {error}.",
        f"Please report it with the details in {log.name}.",
    )
