"""A Slurm of two nodes on this machine: daemons of our own, in a folder, on ports of our own."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from typing import TYPE_CHECKING

from .ports import free_ports

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scancel", "scontrol")
SECONDS_TO_START = 300


class Cluster:
    """Nodes n1 and n2, with a processor each that several jobs may share.

    Args:
        folder: an empty folder with a short path, for everything that the daemons keep
        environment: the variables of the daemons and of the jobs
    """

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = environment | {"SLURM_CONF": str(folder / "slurm.conf")}
        self._daemons: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start the daemons and wait until both nodes are idle."""
        munge, log = self.folder / "munge", self.folder / "log"
        for folder in (munge, log, self.folder / "state"):
            folder.mkdir()
        # munged insists on folders into which nobody else can write, and on a socket for everybody.
        self.folder.chmod(0o755)
        (munge / "key").write_bytes(secrets.token_bytes(1024))
        (munge / "key").chmod(0o600)
        (self.folder / "slurm.conf").write_text(self._settings())
        files = {
            "--key-file": munge / "key",
            "--socket": munge / "socket",
            "--pid-file": munge / "pid",
            "--log-file": munge / "log",
            "--seed-file": munge / "seed",
        }
        options = [f"{option}={path}" for option, path in files.items()]
        self._run_daemon("munged", "--foreground", *options)
        wait_for((munge / "socket").exists, "munged", SECONDS_TO_START)
        self._run_daemon("slurmctld", "-D")
        for node in ("n1", "n2"):
            self._run_daemon("slurmd", "-D", "-N", node)
        wait_for(lambda: self.idle_nodes() == 2, "two idle nodes", SECONDS_TO_START)

    def stop(self) -> None:
        """End all jobs, then the daemons, by their ids."""
        if len(self._daemons) > 1:
            subprocess.run(["scancel", "--user=root"], env=self.environment, check=False)
            wait_for(lambda: not self.run("squeue", "--noheader"), "the end of all jobs", 60)
        for daemon in reversed(self._daemons):
            daemon.terminate()
            try:
                daemon.wait(timeout=20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def idle_nodes(self) -> int:
        """Return how many nodes wait for a job."""
        return self.run("sinfo", "--noheader", "--Node", "--format=%t").split().count("idle")

    def run(self, *command: str, cwd: Path | None = None) -> str:
        """Run one of Slurm's commands; return what it printed."""
        result = subprocess.run(
            command,
            cwd=cwd,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return result.stdout.strip() or result.stderr.strip()

    def job(self, number: str) -> dict[str, str]:
        """Return what Slurm knows of a job; nothing where a busy controller does not answer."""
        fields = self.run("scontrol", "--oneliner", "show", "job", number).split()
        return {name: value for name, _, value in (field.partition("=") for field in fields)}

    def _run_daemon(self, program: str, *arguments: str) -> None:
        path = shutil.which(program)
        assert path is not None, program
        with (self.folder / "log" / f"{program}-{len(self._daemons)}").open("wb") as log:
            daemon = subprocess.Popen(
                [path, *arguments],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C in the tests' terminal must leave them to `stop`.
                start_new_session=True,
            )
        self._daemons.append(daemon)

    def _settings(self) -> str:
        folder, name = self.folder, socket.gethostname().partition(".")[0]
        controller, *nodes = free_ports(3)
        # A requeued job may start again when its credential has expired, by default after two
        # minutes; hence `cred_expire`.
        return f"""
ClusterName=scratch
SlurmctldHost={name}(127.0.0.1)
SlurmctldPort={controller}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,batch_sched_delay=0,bf_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MinJobAge=600
KillWait=60
NodeName=n1 NodeHostname={name} NodeAddr=127.0.0.1 Port={nodes[0]} CPUs=1 State=UNKNOWN
NodeName=n2 NodeHostname={name} NodeAddr=127.0.0.1 Port={nodes[1]} CPUs=1 State=UNKNOWN
PartitionName=all Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
"""


def wait_for(condition: Callable[[], bool], what: str, seconds: float) -> None:
    """Ask again and again until it is so; fail when it takes too long."""
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, f"waited for {what} in vain"
        time.sleep(0.2)


def missing() -> str:
    """Return why there can be no cluster here, or nothing."""
    if os.geteuid() != 0:
        return "the daemons of Slurm start as root only"
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"
    absent = [program for program in PROGRAMS if shutil.which(program, path=path) is None]
    return f"apt install slurm-wlm munge: there is no {', '.join(absent)}" if absent else ""
