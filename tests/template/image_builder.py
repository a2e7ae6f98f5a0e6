"""Images built and run by buildah, without a daemon, on a base that debootstrap makes."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

CONSTRAINTS = Path(__file__).resolve().parents[2] / "constraints.txt"
PROGRAMS = ("buildah", "debootstrap")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
"""Where Debian's programs look for the certificates that they trust."""

PLAIN = "localhost/plain"
"""Debian with Python and pip."""

WITH_TORCH = "localhost/with-torch"
"""The same with torch among the system's packages, and a user of number 1000: so are images that
people use."""


class Builder:
    """Buildah with a storage of its own.

    Args:
        folder: an empty folder for all that it keeps
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # Cache mounts are in a folder for temporary files: in ours, so that they go with it.
        (folder / "tmp").mkdir()
        self._environment = {**os.environ, "TMPDIR": str(folder / "tmp")}
        self._mounts = machine_mounts(folder)
        # A variable of everything that runs in a container, and of nothing else.
        self._mark = f"IMAGE_BUILDER={folder}"
        # The driver that lays layers over each other; another copies gigabytes for each.
        storage = ("--root", str(folder / "root"), "--runroot", str(folder / "run"))
        self._buildah = ["buildah", "--storage-driver", "overlay", *storage]

    def buildah(self, *arguments: str, seconds: float = 600) -> str:
        """Run buildah and return what it printed; a failure is an AssertionError with all of it."""
        result = self.try_buildah(*arguments, seconds=seconds)
        assert result.returncode == 0, f"buildah {' '.join(arguments)}\n{result.stdout}"
        return result.stdout

    def try_buildah(
        self, *arguments: str, seconds: float = 600
    ) -> subprocess.CompletedProcess[str]:
        """Run buildah; what it printed to stderr is among its output."""
        return subprocess.run(
            [*self._buildah, *arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )

    def make_bases(self) -> None:
        """Make the images that ours are built on."""
        container = self.buildah("from", "scratch").strip()
        root = self.buildah("mount", container).strip()
        packages = "--include=ca-certificates,python3,python3-pip"
        subprocess.run(
            ["debootstrap", "--variant=minbase", packages, "bookworm", root, *_mirror()],
            capture_output=True,
            check=True,
            timeout=600,
        )
        for listing in Path(root, "var/lib/apt/lists").glob("*_*"):
            listing.unlink()
        self.buildah("umount", container)
        self.buildah("commit", "--quiet", "--format", "docker", container, PLAIN)
        self.buildah("rm", container)

        context = self.folder / "context"
        context.mkdir()
        torch = "python3 -m pip install --break-system-packages --no-cache-dir torch"
        (context / "Dockerfile").write_text(
            f"FROM {PLAIN}\nRUN {torch} && useradd --uid 1000 --create-home ubuntu\n"
        )
        self.build(context, WITH_TORCH)

    def build(self, context: Path, tag: str, *options: str) -> str:
        """Build an image, and return what the build printed."""
        return self.buildah(*self._build_command(context, tag, *options))

    def fail_to_build(self, context: Path, *options: str) -> str:
        """Build an image that cannot be, and return what the build printed."""
        result = self.try_buildah(*self._build_command(context, "localhost/failed", *options))
        assert result.returncode != 0, result.stdout
        return result.stdout

    def _build_command(self, context: Path, tag: str, *options: str) -> list[str]:
        # Buildah's own format of images has no health checks.
        form = ("--isolation", "chroot", "--format", "docker", "--layers")
        return ["bud", *form, *self._mounts, *options, "--tag", tag, str(context)]

    def configuration(self, tag: str) -> dict[str, Any]:
        """Return what the image says about how it is run, in Docker's words."""
        inspected = json.loads(self.buildah("inspect", "--type", "image", tag))
        configuration: dict[str, Any] = inspected["Docker"]["config"]
        return configuration

    def container(self, tag: str) -> str:
        """Return a new container's name."""
        return self.buildah("from", "--pull-never", tag).strip()

    def run_command(
        self, container: str, *arguments: str, options: Iterable[str] = ()
    ) -> list[str]:
        """Return the command that runs a program in a container."""
        return [
            *self._buildah,
            "run",
            "--isolation",
            "chroot",
            f"--env={self._mark}",
            # A name that resolves, as Docker's are: torchrun's processes meet by it.
            "--hostname=localhost",
            *options,
            container,
            "--",
            *arguments,
        ]

    def run(
        self, container: str, *arguments: str, options: Iterable[str] = (), code: int = 0
    ) -> str:
        """Run a program in a container and return what it printed."""
        command = self.run_command(container, *arguments, options=options)
        result = subprocess.run(
            command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )
        assert (result.returncode == 0) is (code == 0), f"{' '.join(command)}\n{result.stdout}"
        if code:
            assert f"exit status {code}" in result.stdout, result.stdout
        return result.stdout

    def start(
        self, container: str, *arguments: str, options: Iterable[str] = ()
    ) -> subprocess.Popen[bytes]:
        """Start a program in a container; `stop` ends it."""
        with (self.folder / "log").open("wb") as log:
            return subprocess.Popen(
                self.run_command(container, *arguments, options=options),
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def log(self) -> str:
        """Return what the program that was started last has printed."""
        return (self.folder / "log").read_text(errors="replace")

    def left_running(self) -> dict[int, str]:
        """Return what still runs in containers: the processes' numbers and commands."""
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            # A process can end while it is looked at.
            with contextlib.suppress(OSError):
                if self._mark.encode() in (process / "environ").read_bytes().split(b"\0"):
                    command = (process / "cmdline").read_bytes().replace(b"\0", b" ")
                    found[int(process.name)] = command.decode(errors="replace")
        return found

    def remove(self) -> None:
        """Delete all containers, images and files, and end what still runs in them."""
        for number in self.left_running():
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        self.try_buildah("rm", "--all")
        self.try_buildah("rmi", "--all", "--force")
        for line in reversed(Path("/proc/mounts").read_text().splitlines()):
            mounted = line.split()[1]
            if Path(mounted).is_relative_to(self.folder):
                subprocess.run(["umount", "--lazy", mounted], check=True)
        shutil.rmtree(self.folder)


def stop(process: subprocess.Popen[bytes], seconds: float = 30) -> None:
    """End a started program and all that it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(timeout=seconds)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue
    process.wait(timeout=seconds)


def machine_mounts(folder: Path) -> list[str]:
    """Return options that give a build this machine's way to packages: settings, certificates.

    What pip's settings and the environment name on this machine's disk is mounted, read-only, at
    the same place.
    """
    settings = _pip_settings()
    # The torch that this project is tested with; a newer one can be gigabytes of CUDA.
    settings["constraint"] = f"{settings.get('constraint', '')} {CONSTRAINTS}".strip()
    configuration = folder / "pip.conf"
    lines = [f"{name} = {value}\n" for name, value in settings.items()]
    configuration.write_text("[global]\n" + "".join(lines))
    mounts = {Path("/etc/pip.conf"): configuration}
    for word in " ".join(settings.values()).split():
        place = Path(word.removeprefix("file://"))
        if place.is_absolute() and place.exists():
            # The files of an index may lie beside it.
            beside = word.startswith("file://") and len(place.parts) > 2
            place = place.parent if beside else place
            mounts[place] = place
    certificates = Path(os.environ.get("SSL_CERT_FILE") or settings.get("cert") or CERTIFICATES)
    if certificates.is_file():
        mounts[CERTIFICATES] = certificates
    return [f"--volume={source}:{target}:ro" for target, source in mounts.items()]


def _pip_settings() -> dict[str, str]:
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    settings: dict[str, str] = {}
    # What the environment says goes before what a file says.
    for line in sorted(listed.splitlines(), key=lambda line: line.startswith(":env:")):
        name, _, value = line.partition("=")
        settings[name.rpartition(".")[2]] = value.strip("'\"")
    # Where and how this machine installs is not how an image does.
    for name in ("target", "prefix", "user", "require-virtualenv", "cache-dir", "no-cache-dir"):
        settings.pop(name, None)
    return settings


def _mirror() -> list[str]:
    """Return the address that this machine takes Debian from; nothing for debootstrap's own."""
    if shutil.which("apt-get") is None:
        return []
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
    return [address for address in dict.fromkeys(listed) if address.endswith("/debian/")][:1]


def can_overlay(folder: Path) -> bool:
    """Tell whether folders can be laid over each other here, as layers of images are."""
    parts = [folder / "overlay" / name for name in ("lower", "upper", "work", "merged")]
    for part in parts:
        part.mkdir(parents=True)
    lower, upper, work, merged = map(str, parts)
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    command = ["mount", "-t", "overlay", "overlay", "-o", options, merged]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        return False
    subprocess.run(["umount", merged], check=True)
    return True
