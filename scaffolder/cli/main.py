"""The application: its commands, and what happens to an error."""

from __future__ import annotations

import itertools
import os
import signal
import sys
from typing import Annotated

import typer

from scaffolder import __version__
from scaffolder.cli.check import PlainHelp, check
from scaffolder.cli.doctor import doctor
from scaffolder.cli.explain import explain
from scaffolder.cli.kinds import show_kinds
from scaffolder.cli.new_module import new_layer, new_model
from scaffolder.cli.new_project import new_project
from scaffolder.cli.output import Output, OutputFailed
from scaffolder.cli.signals import Stopped, causing_signal, raise_signals
from scaffolder.errors import BadInput, MachineFailure, ScaffoldError

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
app.command("check", cls=PlainHelp)(check)
app.command("explain")(explain)
app.command("doctor")(doctor)


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
    raise_signals()
    try:
        code = _run(Output(_wants_json(sys.argv), plain="--no-color" in sys.argv))
    except (BrokenPipeError, OutputFailed) as error:
        # Typer, too, ends with 1 where the reader of our output stops early, as `head` does.
        code = 1
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if isinstance(error, OutputFailed):
            print(f"Error: The output could not be written: {error}.", file=sys.stderr)
    sys.exit(code)


def _wants_json(arguments: list[str]) -> bool:
    """Whether errors are to be JSON, too: they may come before the options are understood."""
    pairs = itertools.pairwise(arguments)
    return "--json" in arguments or "--format=json" in arguments or ("--format", "json") in pairs


def _run(output: Output) -> int:
    try:
        code = int(app(standalone_mode=False) or 0)
    except (Exception, Stopped) as error:
        if number := causing_signal(error):
            code = 128 + number
        elif isinstance(error, (BrokenPipeError, OutputFailed)):
            raise
        else:
            failure = error if isinstance(error, ScaffoldError) else _explain(error)
            if failure.message:
                output.error(failure)
            return failure.exit_code
    if code == 128 + signal.SIGINT:  # Typer's code for Ctrl-C at a question, too
        output.error(ScaffoldError("interrupted", "Interrupted.", "Run the command again."))
    return code


def _explain(error: BaseException) -> ScaffoldError:
    # Typer has no public name for the base class of its usage errors.
    if isinstance(error, typer.BadParameter.__mro__[1]):
        return _wrong_usage(error)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return MachineFailure(
            "machine",
            f"The operating system reported: {where}{error.strerror or error}.",
            "Check that the folder exists, is writable and has free space.",
        )
    return _unexpected(error)


def _wrong_usage(error: BaseException) -> BadInput:
    """Typer's message, which is empty where it has shown the help instead."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "nnscaffold"
    message = getattr(error, "format_message", lambda: str(error))().strip()
    if message and not message.endswith((".", "?", "!")):
        message += "."
    return BadInput("wrong-usage", message, f"See `{command} --help`.")


def _unexpected(error: BaseException) -> MachineFailure:
    """A bug of this tool: the traceback goes to a file, a sentence to the user."""
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
