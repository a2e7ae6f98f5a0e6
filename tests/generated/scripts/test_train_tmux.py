"""Training in tmux sessions: `scripts/train-tmux` in real sessions of a server of its own."""

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
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    shutil.which("tmux") is None or shutil.which("sh") is None,
    reason="needs tmux and a POSIX shell",
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
    """A repository with the scripts and little else, and the tmux server that it uses.

    Args:
        root: a new folder for it
        environment: the variables of everything that is run
        scripts: the folder of the scripts
    """

    def __init__(self, root: Path, environment: dict[str, str], scripts: Path) -> None:
        self.root = root
        self.environment = environment
        self.script = root / "scripts" / "train-tmux"
        shutil.copytree(scripts, root / "scripts")

    def run(
        self,
        *arguments: str,
        code: int = 0,
        script: Path | None = None,
        **variables: str,
    ) -> str:
        """Run `scripts/train-tmux` from elsewhere, without a terminal; return what it printed."""
        result = subprocess.run(
            [script or self.script, *arguments],
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

    def tmux(self, *arguments: str) -> str:
        """Give a command to the server; return what it printed."""
        command = ["tmux", "-L", "default", *arguments]
        result = subprocess.run(
            command,
            env=self.environment,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        return result.stdout

    def sessions(self) -> list[str]:
        """Return the names of the server's sessions."""
        return self.tmux("list-sessions", "-F", "#{session_name}").split()

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
        wait_for(lambda: ended.exists() and not self.sessions(), "the end of the run")


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
    """Variables with a home and a tmux server of their own, and no terminal."""
    # The path of a socket has room for a hundred characters only.
    with tempfile.TemporaryDirectory(prefix="tmux-", ignore_cleanup_errors=True) as sockets:
        settings = {
            "HOME": str(tmp_path),
            "TMUX_TMPDIR": sockets,
            "PYTHON": sys.executable,
            "PYTHONPATH": str(tmp_path / "modules"),
        }
        unwanted = ("TMUX", "TMUX_PANE", "TERM", "NPROC", "STOP_SECONDS")
        kept = {name: value for name, value in os.environ.items() if name not in unwanted}
        yield kept | settings
        server = ["tmux", "-L", "default", "kill-server"]
        subprocess.run(server, env=kept | settings, capture_output=True, check=False)


@pytest.fixture
def repository(tmp_path: Path, environment: dict[str, str], scripts: Path) -> Repository:
    """A repository whose trainer is a small one, at a path that needs quoting everywhere."""
    package = tmp_path / "modules" / "digits"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "train.py").write_text(TRAINER)
    return Repository(tmp_path / "it's a #S %H;", environment, scripts)


def test_a_run_ends_and_leaves_its_log_and_exit_code(repository: Repository) -> None:
    assert repository.run("status", code=2) == "digits: never started\n"

    assert repository.run("start").startswith("digits: started")
    repository.wait_for_end()

    assert repository.run("status") == "digits: finished\n"
    assert repository.file("exit-code").read_text() == "0\n"
    first, *middle, last = repository.run("logs").splitlines()
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

    assert repository.run("status").startswith("digits: running since ")
    assert repository.run("status", "dig", code=2) == "dig: never started\n"
    assert "digits is running" in repository.run("start", code=2)
    assert "digits is running" in repository.run("resume", code=2)
    (session,) = repository.sessions()
    assert session.startswith("digits-")
    assert session.endswith("-digits")


def test_a_stopped_run_is_resumed(repository: Repository) -> None:
    repository.run("start", "--", "wait")
    repository.wait_for_log("training")

    hint = "digits: stopped by SIGTERM; resume it with: scripts/train-tmux resume digits\n"
    assert repository.run("stop") == hint
    assert repository.run("status", code=3) == hint
    assert "stopped cleanly" in repository.log()
    assert "resume digits" in repository.run("start", code=2)

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
        '#!/bin/sh\ncase $* in *list-panes*) mkdir "$HOME/asked" && exit 1 ;; esac 2>/dev/null\n'
        f'exec {shutil.which("tmux")} "$@"\n'
    )
    (tools / "tmux").chmod(0o755)
    repository.run("start", "--", "wait")

    told = repository.run("start", code=2, PATH=f"{tools}{os.pathsep}{os.environ['PATH']}")

    assert told == "error: digits is running: scripts/train-tmux stop digits ends it.\n"
    assert (tmp_path / "asked").exists()
    assert list(repository.file("").glob(".start-*")) == []


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


def test_what_tmux_has_to_say_is_told(repository: Repository) -> None:
    repository.run("start", "--", "wait")
    repository.wait_for_log("training")
    (session,) = repository.sessions()
    repository.tmux("new-window", "-t", f"={session}:", "sleep 600")
    repository.run("stop")

    assert f"duplicate session: {session}.\n" in repository.run("resume", code=1)


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
    assert "start it again with: scripts/train-tmux start digits" in hint
    # Not 3, which says that it can be resumed.
    assert repository.run("status", code=1) == hint
    assert "no checkpoint" in repository.run("resume", code=2)
    repository.run("start")


def test_a_run_that_does_not_stop_is_told(repository: Repository) -> None:
    repository.run("start", "--", "wait", "deaf")
    repository.wait_for_log("training")
    processes = [repository.file(name).read_text() for name in ("process", "worker")]
    kill = " ".join(["kill -KILL", *processes])

    try:
        told = repository.run("stop", code=1, STOP_SECONDS="0")
        assert "still running after 0 seconds" in told
        assert repository.run("status").startswith("digits: running")
        # Without ps, as in a small container, nobody knows what belongs to it.
        advice = f", or kill all of it with: {kill}" if shutil.which("ps") else ""
        assert told.endswith(f"seconds: wait{advice}\n")
    finally:
        subprocess.run(["sh", "-c", kill], check=True)
    repository.wait_for_end()

    assert "failed with exit code 137" in repository.run("status", code=1)


def test_a_failure_is_told_with_the_end_of_the_log(repository: Repository) -> None:
    repository.run("start", "--", "fail")
    repository.wait_for_end()

    told = repository.run("status", code=1).splitlines()
    again = "start it again with: scripts/train-tmux start digits"
    assert told[0] == f"digits: failed with exit code 7 before its first checkpoint; {again}"
    # Without its colour.
    assert "out of luck" in told


def test_a_failed_run_with_a_checkpoint_can_hint(repository: Repository) -> None:
    repository.file("checkpoints").mkdir(parents=True)
    repository.file("checkpoints/step-00000001.pt").touch()
    repository.run("resume", "--", "fail")
    repository.wait_for_end()

    told, *_ = repository.run("status", code=1).splitlines()
    hint = "resume it with: scripts/train-tmux resume digits"
    assert told == f"digits: failed with exit code 7; {hint}"


def test_a_killed_session_lets_the_training_end_cleanly(repository: Repository) -> None:
    repository.run("start", "--", "wait")
    repository.wait_for_log("training")

    repository.tmux("kill-server")
    wait_for(repository.file("exit-code").exists, "the exit code")

    assert "stopped by SIGHUP" in repository.run("status", code=3)
    assert "stopped cleanly" in repository.log()


def test_a_run_that_died_is_told(repository: Repository) -> None:
    repository.run("start", "--", "wait")
    repository.wait_for_log("training")

    os.kill(int(repository.tmux("list-panes", "-a", "-F", "#{pane_pid}")), signal.SIGKILL)
    wait_for(lambda: not repository.sessions(), "the end of the session")
    # The training itself was hung up on.
    wait_for(repository.file("checkpoints/step-00000001.pt").exists, "its checkpoint")

    assert "died without leaving an exit code" in repository.run("status", code=1)
    assert "resume digits" in repository.run("status", code=1)


def test_the_log_has_lines_where_the_session_has_a_bar(repository: Repository) -> None:
    repository.run("start", "--", "wait")
    wait_for(lambda: "bar" in repository.tmux("capture-pane", "-p", "-t", ":"), "the bar")

    assert "bar" not in repository.log()
    repository.run("stop")

    assert "\r" not in repository.log()
    assert repository.log().count("bar") == 1


def test_the_log_can_be_followed(repository: Repository) -> None:
    repository.run("start", "--", "wait")
    follower = subprocess.Popen(
        [repository.script, "logs", "-f"],
        env=repository.environment,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        assert follower.stdout is not None
        assert "digits.train" in follower.stdout.readline()
        assert follower.stdout.readline() == "training seen in 80 columns\n"
    finally:
        follower.kill()
        follower.communicate()


def test_all_runs_are_listed(repository: Repository) -> None:
    assert repository.run("list") == "no run was started yet\n"

    repository.run("start", "one")
    repository.wait_for_end("one")
    repository.run("start", "two", "--", "wait")

    one, two = repository.run("list").splitlines()
    assert one == "one: finished"
    assert two.startswith("two: running since ")


def test_clones_do_not_see_each_others_runs(repository: Repository, scripts: Path) -> None:
    other = Repository(repository.root.with_name("another clone"), repository.environment, scripts)
    repository.run("start", "--", "wait")

    assert other.run("status", code=2) == "digits: never started\n"
    other.run("start", "--", "wait")

    assert len(repository.sessions()) == 2


def test_the_script_finds_its_repository_through_links(
    repository: Repository,
    tmp_path: Path,
) -> None:
    (repository.root / "link").symlink_to("scripts/train-tmux")
    (tmp_path / "far link").symlink_to(repository.root / "link")

    repository.run("start", script=tmp_path / "far link")
    repository.wait_for_end()

    assert repository.run("status") == "digits: finished\n"


def test_another_shell_may_read_the_script(repository: Repository) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    environment = repository.environment | {"SETTING": "it's\nthis"}

    subprocess.run([bash, repository.script, "start", "--", *HOSTILE], env=environment, check=True)
    repository.wait_for_end()

    arguments, _, variables = repository.given()
    assert arguments[2:] == HOSTILE
    assert variables["SETTING"] == "it's\nthis"


def test_a_training_goes_on_without_the_session_that_started_it(repository: Repository) -> None:
    command = [str(repository.script), "start", "--", "wait"]
    pane = [f"{name}={repository.environment[name]}" for name in ("HOME", "PATH", "TMUX_TMPDIR")]
    pane += [f"{name}={repository.environment[name]}" for name in ("PYTHON", "PYTHONPATH")]
    # A server of another name: its TMUX must not decide where the session goes.
    outer = ["tmux", "-L", "outer", "-f", os.devnull]
    subprocess.run(
        [*outer, "new-session", "-d", "env", *pane, *command],
        env=repository.environment,
        check=True,
    )
    repository.wait_for_log("training")
    subprocess.run(
        [*outer, "kill-server"],
        env=repository.environment,
        capture_output=True,
        check=False,
    )

    assert repository.run("status").startswith("digits: running")


def test_windows_that_somebody_opens_are_left_alone(repository: Repository) -> None:
    repository.run("start", "--", "wait")
    repository.wait_for_log("training")
    (session,) = repository.sessions()
    repository.tmux("new-window", "-t", f"={session}:", "sleep 600")

    repository.run("stop")

    assert "stopped by SIGTERM" in repository.run("status", code=3)
    assert repository.sessions() == [session]


def test_the_settings_of_the_users_tmux_do_not_matter(
    repository: Repository,
    tmp_path: Path,
) -> None:
    settings = ["set -g remain-on-exit on", "set -g destroy-unattached on", "set -g base-index 5"]
    (tmp_path / ".tmux.conf").write_text("\n".join(settings) + "\n")

    repository.run("start", "--", "wait")
    repository.wait_for_log("training")

    assert repository.run("status").startswith("digits: running")
    assert "stopped by SIGTERM" in repository.run("stop")
    repository.run("resume")


@pytest.mark.parametrize("around", ["", "/another/server,1,0"])
def test_a_session_is_shown_in_a_terminal(repository: Repository, around: str) -> None:
    repository.environment["TMUX"] = around
    repository.run("start", "--", "wait")
    assert "no terminal" in repository.run("attach", code=2)
    (session,) = repository.sessions()

    with in_terminal([repository.script, "attach"], repository) as (client, shown):
        wait_for(lambda: b"bar" in shown(), "the bar")
        repository.tmux("detach-client", "-s", f"={session}")
        assert client.wait(timeout=SECONDS) == 0

    assert repository.run("status").startswith("digits: running")


def test_a_terminal_within_tmux_is_switched_over(repository: Repository) -> None:
    repository.run("start", "--", "wait")
    (session,) = repository.sessions()
    repository.tmux("new-session", "-d", "-s", "mine")

    with in_terminal(["tmux", "-L", "default", "attach", "-t", "=mine"], repository):
        clients = ("list-clients", "-F", "#{session_name}")
        wait_for(lambda: repository.tmux(*clients) == "mine\n", "the first session")
        repository.tmux("new-window", "-t", "=mine:", str(repository.script), "attach")
        wait_for(lambda: repository.tmux(*clients) == f"{session}\n", "the training's session")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["start", "a b"], "'a b' is not a name"),
        (["start", ""], "'' is not a name"),
        (["status", "../x"], "'../x' is not a name"),
        (["stop", "x:0.1"], "'x:0.1' is not a name"),
        (["start", "--epochs", "3"], "'--epochs' is not an option of start"),
        (["start", "x", "--epochs"], "Write -- before the arguments"),
        (["start", "--", "--output-dir=x"], "Leave out --output-dir"),
        (["resume", "--", "--resume", "x"], "Leave out --resume"),
        (["resume", "--", "--config", "x"], "Leave out --config"),
        (["resume", "--", "--config=x"], "Leave out --config"),
        (["status", "x", "y"], "'y' is one argument too many"),
        (["logs", "-n"], "'-n' is not an option of logs"),
        (["begin"], "'begin' is not a command"),
        (["stop"], "digits is not running"),
        (["resume"], "holds no checkpoint"),
        (["logs"], "digits was never started"),
    ],
)
def test_wrong_usage_gets_one_sentence(
    repository: Repository,
    arguments: list[str],
    complaint: str,
) -> None:
    told = repository.run(*arguments, code=2)

    assert told.startswith("error: ")
    assert complaint in told
    assert told.count("\n") == 1
    assert not (repository.root / "runs").exists()


@pytest.mark.parametrize("number", ["0", "-1", "two", "1.5", "08", "99999"])
def test_no_number_of_processes_is_refused(repository: Repository, number: str) -> None:
    assert "NPROC is a number" in repository.run("start", code=2, NPROC=number)


@pytest.mark.parametrize("seconds", ["-1", "two", "1.5", "08", "999999999"])
def test_no_number_of_seconds_is_refused(repository: Repository, seconds: str) -> None:
    assert "STOP_SECONDS is a number" in repository.run("stop", code=2, STOP_SECONDS=seconds)


def test_a_missing_python_is_told(repository: Repository) -> None:
    assert "There is no /no/python" in repository.run("start", code=1, PYTHON="/no/python")


def test_only_its_user_can_read_the_variables_of_a_session(
    repository: Repository,
    tmp_path: Path,
) -> None:
    # In the place of tmux, where the script that it is given can be looked at.
    tools = tmp_path / "tools"
    tools.mkdir()
    lister = '#!/bin/sh\ncase $* in *new-session*) ls -l "${12}" >"$HOME/listed" ;; esac\nexit 1\n'
    (tools / "tmux").write_text(lister)
    (tools / "tmux").chmod(0o755)

    repository.run("start", code=1, PATH=f"{tools}{os.pathsep}{os.environ['PATH']}")

    assert (tmp_path / "listed").read_text().startswith("-rw-------")
    assert list(repository.file("").glob(".start-*")) == []


def test_wrong_arguments_of_the_training_start_nothing(repository: Repository) -> None:
    assert repository.run("start", "--", "refuse", code=2) == "error: refused.\n"

    assert repository.sessions() == []
    assert not (repository.root / "runs").exists()


def test_a_full_disk_is_reported(repository: Repository, small_disk: Path) -> None:
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

    text = repository.run("status", code=1)
    assert text.startswith("digits: failed with exit code 137, and its disk is full, before")
    assert repository.run("start", code=1).startswith("error: No space left on device")
    filler.unlink()
    repository.run("start")


def test_the_environment_of_the_repository_comes_first(repository: Repository) -> None:
    python = repository.root / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)

    repository.run("start", PYTHON="")
    repository.wait_for_end()

    assert str(python) in repository.log().replace("'\"'\"'", "'")


def test_a_missing_tmux_is_told_with_the_command_that_installs_it(
    repository: Repository,
    tmp_path: Path,
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "dirname", "readlink"):
        (tools / name).symlink_to(str(shutil.which(name)))

    told = repository.run("start", code=1, PATH=str(tools))

    assert "apt install tmux, dnf install tmux, or brew install tmux" in told
    assert "usage" in repository.run("--help", PATH=str(tools))


def test_every_command_is_in_the_help(repository: Repository) -> None:
    text = repository.run("--help")

    for command in ("start", "attach", "status", "logs", "stop", "resume", "list"):
        assert f"scripts/train-tmux {command}" in text
        assert repository.run(command, "-h") == text
    assert repository.run(code=2) == text


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
