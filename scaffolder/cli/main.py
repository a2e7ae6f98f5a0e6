"""The application: its commands, and what happens to an error."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from scaffolder import __version__
from scaffolder.cli.kinds import show_kinds
from scaffolder.cli.new_module import new_layer, new_model
from scaffolder.cli.new_project import new_project
from scaffolder.cli.output import Output
from scaffolder.errors import BadInput, MachineFailure, ScaffoldError

INTERRUPTED = 130

# A git hook exports these: they would point every git started here at the wrong repository.
_GIT_REPOSITORY_VARIABLES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")

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
    arguments = sys.argv[1:]
    output = Output("--json" in arguments, plain="--no-color" in arguments)
    try:
        code = app(standalone_mode=False) or 0
        sys.stdout.flush()
    except ScaffoldError as error:
        output.error(error)
        code = error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        print("\nInterrupted; nothing was written.", file=sys.stderr)
        code = INTERRUPTED
    except BrokenPipeError:  # the reader of our output has seen enough, as `head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1  # as Typer ends when it meets this first
    except Exception as error:
        failure = _explain(error)
        output.error(failure)
        code = failure.exit_code
    sys.exit(code)


def _explain(error: Exception) -> ScaffoldError:
    # Typer has no public name for the class that its errors of usage share.
    is_usage = isinstance(error, typer.BadParameter.__mro__[1])
    return _wrong_usage(error) if is_usage else _unexpected(error)


def _wrong_usage(error: Exception) -> BadInput:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "nnscaffold"
    message = getattr(error, "format_message", lambda: str(error))().strip()
    message = message if message.endswith((".", "?", "!")) else f"{message}."
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
