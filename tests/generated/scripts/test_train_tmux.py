"""Training in tmux sessions: `scripts/train_tmux.py` with real tmux servers."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    shutil.which("tmux") is None,
    reason="needs tmux",
)
SECONDS = 300
"""After which a test that waits has failed; a busy machine takes a minute to import torch."""
# It notes what it was given, then does what the first letters of its arguments say.
TRAINER = """
import json, os, signal, subprocess, sys, time
from pathlib import Path

arguments = sys.argv[1:]
if arguments[-1] == "--check":
    if "refuse" in arguments:
        print("error: refused.", file=sys.stderr)
        sys.exit(2)
    sys.exit(0)
folder = Path(arguments[1])
folder.mkdir(parents=True, exist_ok=True)
(folder / "given.json").write_text(json.dumps([arguments, os.getcwd(), dict(os.environ)]))
(folder / "process").write_text(str(os.getpid()))

def stop(number, _):
    if "deaf" not in arguments:
        (folder / "checkpoints").mkdir(exist_ok=True)
        (folder / "checkpoints" / "step-00000001.pt").touch()
        print("stopped cleanly", flush=True)
        sys.exit(128 + number)

for name in ("SIGHUP", "SIGINT", "SIGTERM"):
    signal.signal(getattr(signal, name), stop)
columns = os.get_terminal_size(2).columns if sys.stderr.isatty() else "no"
if "deaf" in arguments:
    # As torchrun starts its workers, out of reach of what is sent to its group.
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    worker = subprocess.Popen(sleep, start_new_session=True)
    (folder / "worker").write_text(str(worker.pid))
print("training seen in", columns, "columns", flush=True)
if "fail" in arguments:
    print("\\x1b[31mout of luck\\x1b[0m", flush=True)
    sys.exit(7)
while "wait" in arguments:
    sys.stderr.write("\\rbar " + str(time.monotonic()))
    sys.stderr.flush()
    time.sleep(0.01)
"""
HOSTILE = [
    "two words",
    "it's",
    '"quoted"',
    ";",
    "ends in;",
    "$HOME `id` $(id)",
    "*",
    "~",
    "back\\slash\\",
    "#{pane_id} %H",
    "new\nline\n",
    "",
    "--",
    "-x=ä🚀",
]


def wait_for(condition: Callable[[], bool], what: str, seconds: float = SECONDS) -> None:
    """Ask again and again until it is so; fail when it takes too long."""
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, f"waited for {what} in vain"
        time.sleep(0.01)


class Repository:
    """A repository with the scripts and little else, and the tmux servers that it uses.

    Args:
        root: a new folder for it
        environment: the variables of everything that is run
        scripts: the folder of the scripts
    """

    def __init__(self, root: Path, environment: dict[str, str], scripts: Path) -> None:
        self.root = root
        self.environment = environment
        self.script = [sys.executable, str(root / "scripts" / "train_tmux.py")]
        shutil.copytree(scripts, root / "scripts")

    def run(self, *arguments: str, code: int = 0, **variables: str) -> str:
        """Run the script from elsewhere, without a terminal; return what it printed."""
        result = subprocess.run(
            [*self.script, *arguments],
            cwd="/",
            env=self.environment | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=SECONDS,
            check=False,
        )
        assert result.returncode == code, result.stdout
        return result.stdout

    def tmux(self, *arguments: str, name: str = "digits") -> str:
        """Give a command to the server of a run; return what it printed."""
        server = f"digits-{zlib.crc32(os.fsencode(self.root))}-{name}"
        command = ["tmux", "-L", server, *arguments]
        result = subprocess.run(
            command,
            env=self.environment,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        return result.stdout

    def sessions(self, name: str = "digits") -> list[str]:
        """Return the names of the sessions of a run's server."""
        return self.tmux("list-sessions", "-F", "#{session_name}", name=name).split()

    def given(self, name: str = "digits") -> tuple[list[str], str, dict[str, str]]:
        """Return the arguments, folder and variables that the trainer was started with."""
        arguments, folder, variables = json.loads(self.file("given.json", name).read_text())
        return arguments, folder, variables

    def file(self, file: str, name: str = "digits") -> Path:
        """Return the path of a file of a run."""
        return self.root / "runs" / name / file

    def log(self, name: str = "digits") -> str:
        """Return what is in the log now."""
        path = self.file("train.log", name)
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def wait_for_log(self, text: str, name: str = "digits") -> None:
        """Wait until the log has this text."""
        wait_for(lambda: text in self.log(name), f"{text!r} in the log")

    def wait_for_end(self, name: str = "digits") -> None:
        """Wait until the run has left its exit code and its session is gone."""
        ended = self.file("exit-code", name)
        wait_for(lambda: ended.exists() and not self.sessions(name), "the end of the run")


@contextlib.contextmanager
def in_terminal(
    command: list[str | Path],
    repository: Repository,
) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[], bytes]]]:
    """Run a command in a terminal; yield it and what tells all that has been shown so far."""
    # Windows has none, and there these tests are skipped.
    import pty

    outer, inner = pty.openpty()
    os.set_blocking(outer, False)
    client = subprocess.Popen(
        command,
        env=repository.environment | {"TERM": "xterm"},
        stdin=inner,
        stdout=inner,
        stderr=inner,
        start_new_session=True,
    )
    os.close(inner)
    screen = b""

    def shown() -> bytes:
        nonlocal screen
        with contextlib.suppress(OSError):
            screen += os.read(outer, 65536)
        return screen

    try:
        yield client, shown
    finally:
        client.kill()
        client.wait()
        os.close(outer)


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Variables with a home and tmux servers of their own, and no terminal."""
    # The path of a socket has room for a hundred characters only.
    with tempfile.TemporaryDirectory(prefix="tmux-", ignore_cleanup_errors=True) as sockets:
        settings = {
            "HOME": str(tmp_path),
            "TMUX_TMPDIR": sockets,
            "PYTHONPATH": str(tmp_path / "modules"),
        }
        unwanted = ("TMUX", "TMUX_PANE", "TERM", "NPROC")
        kept = {name: value for name, value in os.environ.items() if name not in unwanted}
        yield kept | settings
        for socket in Path(sockets).glob("*/*"):
            server = ["tmux", "-S", str(socket), "kill-server"]
            subprocess.run(server, capture_output=True, check=False)


@pytest.fixture
def repository(tmp_path: Path, environment: dict[str, str], scripts: Path) -> Repository:
    """A repository whose trainer is a small one, at a path that needs quoting everywhere."""
    package = tmp_path / "modules" / "digits"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "train.py").write_text(TRAINER)
    return Repository(tmp_path / "it's a #S %H;", environment, scripts)


def test_a_run_ends_and_leaves_its_log_and_exit_code(repository: Repository) -> None:
    assert repository.run("status", "digits", code=1) == "digits: never started\n"

    assert repository.run("start").startswith("digits: started")
    repository.wait_for_end()

    assert repository.run("status") == "digits: finished\n"
    assert repository.file("exit-code").read_text() == "0\n"
    first, *middle, last = repository.log().splitlines()
    assert first.endswith("-m digits.train --output-dir runs/digits")
    assert middle == ["training seen in 80 columns"]
    assert last.endswith("exit code 0")
    left = {path.name for path in repository.file("").iterdir()}
    assert left == {"exit-code", "given.json", "process", "train.log"}


def test_arguments_arrive_as_they_were_given(repository: Repository) -> None:
    repository.run("start", "hostile", "--", *HOSTILE)
    repository.wait_for_end("hostile")

    arguments, folder, _ = repository.given("hostile")
    assert arguments == ["--output-dir", "runs/hostile", *HOSTILE]
    assert folder == str(repository.root)


def test_the_training_has_the_variables_of_who_started_it(repository: Repository) -> None:
    repository.run("start", "first", "--", "wait", ONLY_FIRST="1", CUDA_VISIBLE_DEVICES="0")
    hostile = "it's\n$HOME; `id`"
    repository.run("start", "second", "--", "wait", CUDA_VISIBLE_DEVICES="1", SETTING=hostile)
    repository.wait_for_log("training", "second")

    _, _, variables = repository.given("second")
    assert variables["CUDA_VISIBLE_DEVICES"] == "1"
    assert variables["SETTING"] == hostile
    assert "ONLY_FIRST" not in variables
    assert variables["TERM"] != "dumb"


def test_a_running_run_is_told_and_started_only_once(repository: Repository) -> None:
    repository.run("start", "--", "wait")

    assert repository.run("status") == "digits: running\n"
    assert repository.run("status", "dig", code=1) == "dig: never started\n"
    assert "digits is running" in repository.run("start", code=1)
    assert "digits is running" in repository.run("resume", code=1)


def test_a_stopped_run_is_resumed(repository: Repository) -> None:
    repository.run("start", "--", "wait")
    repository.wait_for_log("training")

    again = "continue with: python scripts/train_tmux.py resume digits"
    hint = f"digits: stopped by SIGTERM; {again}\n"
    assert repository.run("stop") == hint
    assert repository.run("status") == hint
    assert "stopped cleanly" in repository.log()
    assert "resume digits" in repository.run("start", code=1)

    repository.run("resume", "--", "more")
    repository.wait_for_end()

    assert repository.given()[0] == ["--resume", "runs/digits", "more"]
    assert repository.run("status") == "digits: finished\n"
    assert repository.log().count("exit code") == 2


def test_two_starts_at_the_same_moment_make_one_run(
    repository: Repository,
    tmp_path: Path,
) -> None:
    # The second asks whether there is a run, and gets its answer, before the first has made it.
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "tmux").write_text(
        "#!/bin/sh\n"
        'case $* in *display-message*) mkdir "$HOME/asked" && exit 1 ;; esac 2>/dev/null\n'
        f'exec {shutil.which("tmux")} "$@"\n'
    )
    (tools / "tmux").chmod(0o755)
    repository.run("start", "--", "wait")

    told = repository.run("start", code=1, PATH=f"{tools}{os.pathsep}{os.environ['PATH']}")

    assert told == "error: tmux cannot run the session digits: duplicate session: digits.\n"
    assert (tmp_path / "asked").exists()


def test_a_server_that_is_just_ending_does_not_keep_a_run_from_starting(
    repository: Repository,
    tmp_path: Path,
) -> None:
    # Its last session has gone: what it is asked now is lost.
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "tmux").write_text(
        "#!/bin/sh\n"
        'case $* in *new-session*) if mkdir "$HOME/asked" 2>/dev/null; then\n'
        '    echo "server exited unexpectedly" >&2; exit 1\n'
        "fi ;; esac\n"
        f'exec {shutil.which("tmux")} "$@"\n'
    )
    (tools / "tmux").chmod(0o755)
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"

    assert repository.run("start", "--", "wait", PATH=path).startswith("digits: started")

    assert (tmp_path / "asked").exists()
    assert len(repository.sessions()) == 1


def test_a_killed_session_lets_the_training_end_cleanly(repository: Repository) -> None:
    repository.run("start", "--", "wait")
    repository.wait_for_log("training")

    repository.tmux("kill-server")
    wait_for(repository.file("exit-code").exists, "the exit code")

    assert "stopped by SIGHUP" in repository.run("status")
    assert "stopped cleanly" in repository.log()


def test_a_run_stopped_before_its_first_checkpoint_begins_again(repository: Repository) -> None:
    (repository.root.parent / "modules" / "digits" / "train.py").write_text(
        "import sys, time\nif '--check' in sys.argv: sys.exit()\n"
        "print('training', flush=True)\ntime.sleep(600)\n"
    )
    repository.run("start")
    repository.wait_for_log("training")

    # Nothing can be made of half a checkpoint.
    repository.file("checkpoints").mkdir()
    repository.file("checkpoints/step-00000001.pt.partial").touch()
    hint = repository.run("stop")
    assert hint.endswith("continue with: python scripts/train_tmux.py start digits\n")
    assert repository.run("status") == hint
    repository.run("start")


def test_a_run_that_does_not_stop_is_told(repository: Repository) -> None:
    script = Path(repository.script[1])
    script.write_text(script.read_text().replace("STOP_SECONDS = 120", "STOP_SECONDS = 0"))
    repository.run("start", "--", "wait", "deaf")
    repository.wait_for_log("training")

    told = repository.run("stop", code=1)

    assert "still running after 0 seconds: python scripts/train_tmux.py attach digits" in told
    assert repository.run("status") == "digits: running\n"
    os.kill(int(repository.file("process").read_text()), signal.SIGKILL)
    repository.wait_for_end()
    assert "failed with exit code 137" in repository.run("status", code=1)


@pytest.mark.parametrize("checkpoints", [[], ["step-00000001.pt"]])
def test_a_failure_is_told_with_how_to_continue(
    repository: Repository, checkpoints: list[str]
) -> None:
    repository.file("checkpoints").mkdir(parents=True)
    for name in checkpoints:
        repository.file(f"checkpoints/{name}").touch()
    verb = "resume" if checkpoints else "start"
    repository.run(verb, "--", "fail")
    repository.wait_for_end()

    again = f"continue with: python scripts/train_tmux.py {verb} digits"
    told = repository.run("status", code=1)
    assert told == f"digits: failed with exit code 7; {again}\n"
    # Without its colour.
    assert "\nout of luck\n" in repository.log()


def test_a_run_that_died_is_told(repository: Repository) -> None:
    repository.run("start", "--", "wait")
    repository.wait_for_log("training")

    os.kill(int(repository.tmux("list-panes", "-a", "-F", "#{pane_pid}")), signal.SIGKILL)
    wait_for(lambda: not repository.sessions(), "the end of the session")

    assert "died without leaving an exit code" in repository.run("status", code=1)


def test_a_full_disk_is_told(repository: Repository, small_disk: Path) -> None:
    (repository.root / "runs").symlink_to(small_disk)
    repository.run("start", "--", "wait")
    repository.wait_for_log("training")
    filler = small_disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))

    # Like a checkpoint that could not be written.
    os.kill(int(repository.file("process").read_text()), signal.SIGKILL)
    wait_for(lambda: not repository.sessions(), "the end of the run")

    assert "full disk" in repository.run("status", code=1)
    filler.unlink()
    repository.run("start")


def test_all_runs_are_told(repository: Repository) -> None:
    assert repository.run("status") == "no run was started yet\n"

    repository.run("start", "one")
    repository.wait_for_end("one")
    repository.run("start", "two", "--", "wait")

    assert repository.run("status") == "one: finished\ntwo: running\n"


def test_clones_do_not_see_each_others_runs(repository: Repository, scripts: Path) -> None:
    other = Repository(repository.root.with_name("another clone"), repository.environment, scripts)
    repository.run("start", "--", "wait")

    assert other.run("status", "digits", code=1) == "digits: never started\n"
    other.run("start", "--", "wait")

    assert repository.sessions() == other.sessions() == ["digits"]


def test_a_training_goes_on_without_the_session_that_started_it(repository: Repository) -> None:
    command = [*repository.script, "start", "--", "wait"]
    outer = ["tmux", "-L", "outer", "-f", os.devnull]
    subprocess.run([*outer, "new-session", "-d", *command], env=repository.environment, check=True)
    repository.wait_for_log("training")
    subprocess.run(
        [*outer, "kill-server"], env=repository.environment, capture_output=True, check=False
    )

    assert repository.run("status") == "digits: running\n"


def test_windows_that_somebody_opens_are_left_alone(repository: Repository) -> None:
    repository.run("start", "--", "wait")
    repository.wait_for_log("training")
    repository.tmux("new-window", "sleep 600")

    assert "stopped by SIGTERM" in repository.run("stop")

    assert repository.sessions() == ["digits"]
    assert "duplicate session: digits.\n" in repository.run("resume", code=1)


@pytest.mark.parametrize("around", ["", "/another/server,1,0"])
def test_a_session_is_shown_in_a_terminal(repository: Repository, around: str) -> None:
    repository.environment["TMUX"] = around
    repository.run("start", "--", "wait")
    assert "not a terminal" in repository.run("attach", code=1)

    with in_terminal([*repository.script, "attach"], repository) as (client, shown):
        wait_for(lambda: b"bar" in shown(), "the bar")
        repository.tmux("detach-client", "-s", "=digits")
        assert client.wait(timeout=SECONDS) == 0

    assert repository.run("status") == "digits: running\n"
    repository.run("stop")
    assert "digits: stopped" in repository.run("attach")


@pytest.mark.parametrize(
    ("arguments", "complaint", "code"),
    [
        (["start", "a b"], "'a b' has more than letters", 2),
        (["start", ""], "'' has more than letters", 2),
        (["status", "../x"], "'../x' has more than letters", 2),
        (["stop", "x:0.1"], "'x:0.1' has more than letters", 2),
        (["start", "--epochs", "3"], "unrecognized arguments: --epochs", 2),
        (["start", "x", "--epochs"], "unrecognized arguments: --epochs", 2),
        (["start", "--", "--output-dir=x"], "Leave out --output-dir", 2),
        (["resume", "--", "--resume", "x"], "Leave out --resume", 2),
        (["status", "x", "y"], "unrecognized arguments: y", 2),
        (["stop", "--", "y"], "stop takes no arguments after --", 2),
        (["begin"], "invalid choice: 'begin'", 2),
        ([], "required: command", 2),
        (["stop"], "digits is not running", 1),
    ],
)
def test_wrong_usage_gets_one_sentence(
    repository: Repository,
    arguments: list[str],
    complaint: str,
    code: int,
) -> None:
    *usage, told = repository.run(*arguments, code=code).splitlines()

    assert "error: " in told
    assert complaint in told
    assert usage in ([], ["usage: python scripts/train_tmux.py COMMAND [NAME] [-- ARGUMENT...]"])
    assert not (repository.root / "runs").exists()


def test_the_log_has_lines_where_the_session_has_a_bar(repository: Repository) -> None:
    repository.run("start", "--", "wait")
    wait_for(lambda: "bar" in repository.tmux("capture-pane", "-p"), "the bar")

    assert "bar" not in repository.log()
    repository.run("stop")

    assert "\r" not in repository.log()
    assert repository.log().count("bar") == 1


def test_the_settings_of_the_users_tmux_do_not_matter(
    repository: Repository,
    tmp_path: Path,
) -> None:
    settings = ["set -g remain-on-exit on", "set -g destroy-unattached on", "set -g base-index 5"]
    (tmp_path / ".tmux.conf").write_text("\n".join(settings) + "\n")

    repository.run("start", "--", "wait")
    repository.wait_for_log("training")

    assert repository.run("status") == "digits: running\n"
    assert "stopped by SIGTERM" in repository.run("stop")
    repository.run("resume")


@pytest.mark.parametrize("number", ["0", "-1", "two", "1.5", "08"])
def test_no_number_of_processes_is_refused(repository: Repository, number: str) -> None:
    assert "NPROC is a number" in repository.run("start", code=2, NPROC=number)


def test_wrong_arguments_of_the_training_start_nothing(repository: Repository) -> None:
    assert repository.run("start", "--", "refuse", code=2) == "error: refused.\n"

    assert repository.sessions() == []
    assert not (repository.root / "runs").exists()


def test_a_missing_tmux_is_told_with_the_command_that_installs_it(repository: Repository) -> None:
    told = repository.run("start", code=1, PATH="/nowhere")

    assert "apt install tmux, dnf install tmux, or brew install tmux" in told
    assert "usage" in repository.run("--help", PATH="/nowhere")


def test_every_command_is_in_the_help(repository: Repository) -> None:
    text = repository.run("--help")

    for command in ("start", "resume", "attach", "status", "stop"):
        assert f"\n  {command} " in text
        assert repository.run(command, "-h") == text


@pytest.mark.slow
@pytest.mark.parametrize("processes", ["", "2"])
def test_a_real_training_is_stopped_resumed_and_finished(
    tmp_path: Path,
    environment: dict[str, str],
    rendered: Path,
    processes: str,
) -> None:
    package = str(rendered / "src")
    variables = {"PYTHONPATH": package, "NPROC": processes, "OMP_NUM_THREADS": "1"}
    repository = Repository(tmp_path / "repository", environment | variables, rendered / "scripts")
    settings = ["--epochs", "6", "--model.channels", "4", "--device", "cpu"]
    metrics = repository.file("metrics.jsonl")

    repository.run("start", "--", *settings)
    wait_for(lambda: metrics.exists() and bool(metrics.read_text()), "the first epoch")
    assert "stopped by SIGTERM" in repository.run("stop"), repository.log()
    assert repository.file("exit-code").read_text() == "143\n"
    repository.run("resume")
    wait_for(lambda: not repository.sessions(), "the end of the training")

    assert repository.run("status") == "digits: finished\n", repository.log()
    epochs = [json.loads(line)["epoch"] for line in metrics.read_text().splitlines()]
    assert epochs == [1, 2, 3, 4, 5, 6]
