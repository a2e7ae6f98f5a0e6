"""What the doctor reports on machines of all sorts."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from scaffolder.doctor.gpu import check_cards
from scaffolder.doctor.packages import _COMMANDS, _ELSEWHERE, _PACKAGES, _SENTENCES

from .conftest import ROOT_USER

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Machine

SUDO = "" if ROOT_USER else "sudo "
CARDS = "NVIDIA H100 80GB HBM3, 81559 MiB, 580.65.06\nNVIDIA H100 80GB HBM3, 81559 MiB, 580.65.06"
HEADER = "| NVIDIA-SMI 580.65.06    Driver Version: 580.65.06    CUDA Version: 13.0     |"


def has_cards(machine: Machine, header: str = HEADER) -> None:
    machine.script(
        "nvidia-smi",
        f'if [ $# -gt 0 ]; then echo "{CARDS}"; else echo "{header}"; fi',
    )


def test_this_machine_is_reported() -> None:
    """Nothing stands in for a program here; what the machine lacks differs from one to another."""
    result = subprocess.run(
        [sys.executable, "-m", "scaffolder", "doctor", "--json"],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    findings = {found["name"]: found for found in json.loads(result.stdout)["result"]["findings"]}
    problems = [name for name, found in findings.items() if found["state"] == "problem"]
    assert (result.returncode, result.stderr) == (1 if problems else 0, "")
    printed = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True)
    assert findings["git"]["found"] in printed.stdout


def test_a_bare_machine_is_reported_with_what_it_lacks(machine: Machine) -> None:
    machine.has("apt-get")
    found = machine.findings()
    assert found["git"]["state"] == "ok"
    assert found["git"]["found"] == "2.47.1"
    for name, command in {
        "tmux": "apt-get install -y tmux",
        "Slurm": "apt-get install -y slurm-wlm",
        "C++ compiler": "apt-get install -y g++",
        "Java": "apt-get install -y openjdk-17-jre-headless",
        "containers": "apt-get install -y docker.io",
    }.items():
        assert (found[name]["state"], found[name]["hint"]) == ("missing", SUDO + command)


def test_what_is_missing_is_shown_with_its_purpose_and_its_command(machine: Machine) -> None:
    machine.has("dnf")
    shown = machine.doctor()
    assert "missing  tmux" in shown
    assert "for training that outlives the terminal" in shown
    assert f"→ {SUDO}dnf install -y tmux" in shown


def test_a_machine_without_git_has_a_problem(machine: Machine) -> None:
    (machine.bin / "git").unlink()
    machine.has("brew")
    git = machine.findings(code=1)["git"]
    assert (git["state"], git["hint"]) == ("problem", "brew install git")


def test_the_tools_are_reported_with_their_versions(machine: Machine) -> None:
    machine.has("tmux", "tmux 3.3a")
    machine.has("g++", "g++ (Debian 12.2.0-14) 12.2.0\nCopyright (C) 2022")
    machine.has("java", 'openjdk version "21" 2023-09-19')
    machine.has("sbatch", "slurm-wlm 22.05.8")
    machine.has("scontrol", "Slurmctld(primary) at head is UP")
    found = machine.findings()
    assert found["tmux"]["found"] == "3.3a"
    assert found["C++ compiler"]["found"] == "g++ 12.2.0"
    assert (found["Java"]["state"], found["Java"]["found"]) == ("ok", "21")
    assert found["Slurm"]["found"] == "22.05.8, the controller answers"


@pytest.mark.parametrize(
    ("version", "found"),
    [
        ('openjdk version "1.8.0_432"', "1.8.0, too old"),
        ('java version "11.0.2"', "11.0.2, too old"),
    ],
)
def test_an_old_java_will_not_do(machine: Machine, version: str, found: str) -> None:
    machine.has("java", version)
    java = machine.findings()["Java"]
    assert (java["state"], java["found"]) == ("missing", found)


def test_slurm_without_a_controller_will_not_do(machine: Machine) -> None:
    machine.has("sbatch", "slurm-wlm 22.05.8")
    machine.has("scontrol", "Slurmctld(primary) at head is DOWN")
    slurm = machine.findings()["Slurm"]
    assert (slurm["state"], slurm["found"]) == ("missing", "installed, but no controller answers")


def test_slurm_without_a_configuration_is_not_to_be_installed(machine: Machine) -> None:
    for program in ("sbatch", "scontrol"):
        machine.has(program, "fatal: Could not establish a configuration source", code=1)
    slurm = machine.findings()["Slurm"]
    assert slurm["found"] == "installed, but no controller answers"
    assert "install" not in slurm["hint"]


def test_a_broken_tmux_is_a_problem(machine: Machine) -> None:
    machine.has("tmux", "tmux: error while loading shared libraries: libutempter.so", code=127)
    tmux = machine.findings(code=1)["tmux"]
    assert (tmux["state"], tmux["found"][:27]) == ("problem", "tmux: error while loading s")


class TestGpu:
    def test_cards_are_counted_and_torch_computes(self, machine: Machine) -> None:
        has_cards(machine)
        machine.has_torch("2.13.0+cu130", "13.0")
        found = machine.findings()
        assert found["GPU"]["found"] == (
            "2 x NVIDIA H100 80GB HBM3 (81559 MiB), driver 580.65.06, up to CUDA 13.0"
        )
        assert found["torch"]["found"] == ("2.13.0+cu130, built for CUDA 13.0, computes on the GPU")

    def test_an_older_cuda_of_the_same_major_version_fits(self, machine: Machine) -> None:
        has_cards(machine, "CUDA Version: 12.2")
        machine.has_torch("2.13.0+cu126", "12.6")
        assert machine.findings()["torch"]["state"] == "ok"

    @pytest.mark.parametrize(
        ("header", "cuda", "computes", "found"),
        [
            ("CUDA Version: 12.2", "13.0", "2.0", "but the driver goes up to CUDA 12.2"),
            (HEADER, None, "2.0", "built without CUDA: it cannot use the GPU"),
            (HEADER, "13.0", "RuntimeError('no kernel image')", "RuntimeError: no kernel image"),
        ],
    )
    def test_a_torch_that_does_not_fit_is_a_problem(
        self, machine: Machine, header: str, cuda: str | None, computes: str, found: str
    ) -> None:
        has_cards(machine, header)
        machine.has_torch("2.13.0", cuda, computes)
        torch = machine.findings(code=1)["torch"]
        assert torch["state"] == "problem"
        assert found in torch["found"]
        assert torch["hint"]

    def test_a_driver_that_fails_is_a_problem(self, machine: Machine) -> None:
        machine.has("nvidia-smi", "Failed to initialize NVML: Driver/library mismatch", code=18)
        gpu = machine.findings(code=1)["GPU"]
        assert gpu["found"] == "Failed to initialize NVML: Driver/library mismatch"

    def test_a_card_without_a_driver_is_a_problem(
        self, machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", str(machine.bin))
        devices = tmp_path / "devices"
        for name, kind in (("0000:00:1f.0", "0x040300"), ("0000:01:00.0", "0x030200")):
            (devices / name).mkdir(parents=True)
            (devices / name / "vendor").write_text("0x10de\n")
            (devices / name / "class").write_text(f"{kind}\n")
            state = check_cards(devices).finding.state
            assert state == ("missing" if kind == "0x040300" else "problem")


class TestTorch:
    def test_a_repository_without_torch_has_a_problem(self, machine: Machine) -> None:
        self._environment_without_torch(machine)
        (machine.folder / ".copier-answers.yml").write_text("modules: []\n")
        torch = machine.findings(code=1)["torch"]
        assert (torch["state"], torch["hint"]) == ("problem", "pip install -e '.[dev]'")

    def test_elsewhere_torch_may_be_missing(self, machine: Machine) -> None:
        self._environment_without_torch(machine)
        assert machine.findings()["torch"]["state"] == "missing"

    def test_a_broken_environment_is_a_problem(self, machine: Machine) -> None:
        machine.has_torch("2.13.0", None)
        (machine.home / "env" / "bin" / "python").write_text("#!/nowhere/python\n")
        assert machine.findings(code=1)["Python"]["state"] == "problem"

    def test_an_environment_whose_python_has_gone_is_a_problem(self, machine: Machine) -> None:
        machine.has_torch("2.13.0", None)
        (machine.folder / ".copier-answers.yml").write_text("modules: []\n")
        (machine.folder / ".venv" / "bin").mkdir(parents=True)
        (machine.folder / ".venv" / "bin" / "python").symlink_to("/nowhere/python3.11")
        python = machine.findings(code=1)["Python"]
        assert (python["state"], python["hint"][:29]) == (
            "problem",
            "Create the environment again:",
        )

    def test_the_repositorys_own_environment_overrides_the_active_one(
        self, machine: Machine
    ) -> None:
        machine.has_torch("2.99.0", None)
        (machine.folder / ".copier-answers.yml").write_text("modules: []\n")
        (machine.home / "env").rename(machine.folder / ".venv")
        machine.variables["VIRTUAL_ENV"] = sys.prefix
        assert machine.findings()["torch"]["found"] == "2.99.0, built without CUDA"

    def _environment_without_torch(self, machine: Machine) -> None:
        machine.has_torch("2.13.0", None)
        python = machine.home / "env" / "bin" / "python"
        python.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')


class TestContainers:
    @pytest.mark.parametrize(
        ("runtimes", "state"), [('{"nvidia":{}}', "ok"), ('{"runc":{}}', "missing")]
    )
    def test_docker_with_a_gpu_needs_the_runtime(
        self, machine: Machine, runtimes: str, state: str
    ) -> None:
        has_cards(machine)
        machine.has_torch("2.13.0+cu130", "13.0")
        machine.script(
            "docker",
            f"""case "$1" in
--version) echo "Docker version 28.2.2, build e6534b4" ;;
info) echo '{{"Runtimes":{runtimes}}}' ;;
compose) echo "Docker Compose version v2.39.1" ;;
esac""",
        )
        found = machine.findings()
        assert found["containers"]["found"] == "docker 28.2.2"
        assert found["compose"]["found"] == "2.39.1"
        assert found["NVIDIA runtime"]["state"] == state

    @pytest.mark.parametrize(
        ("said", "hint"),
        [
            ("Cannot connect to the Docker daemon at unix:///x.", "systemctl start docker"),
            ("permission denied while trying to connect", "usermod -aG docker $USER"),
        ],
    )
    def test_a_client_without_an_engine_will_not_do(
        self, machine: Machine, said: str, hint: str
    ) -> None:
        machine.script(
            "docker",
            f'[ "$1" = --version ] && echo "Docker version 28" && exit 0\necho "{said}"\nexit 1',
        )
        containers = machine.findings()["containers"]
        assert containers["state"] == "missing"
        assert hint in containers["hint"]

    def test_podman_will_do_as_well(self, machine: Machine) -> None:
        machine.has("podman", "podman version 5.4.0")
        assert machine.findings()["containers"]["found"] == "podman 5.4.0"


def test_a_program_that_does_not_answer_holds_nothing_up(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scaffolder.doctor import program

    machine.script("tmux", "exec sleep 60")
    monkeypatch.setenv("PATH", str(machine.bin))
    monkeypatch.setattr(program, "_TIMEOUT_SECONDS", 0.2)
    answer = program.ask("tmux", "-V")
    assert answer is not None
    assert not answer.succeeded
    assert "no answer" in answer.last_line


def test_every_package_is_installed_by_a_manager_that_is_known() -> None:
    for thing, names in _PACKAGES.items():
        assert names.keys() <= _COMMANDS.keys()
        without = _COMMANDS.keys() - names.keys() - {m for t, m in _ELSEWHERE if t == thing}
        assert not without or thing in _SENTENCES, (thing, without)


def test_quiet_prints_nothing(machine: Machine) -> None:
    assert machine.doctor("--quiet") == ""


def test_the_doctor_does_not_import_torch(machine: Machine) -> None:
    machine.has_torch("2.13.0", None, "SystemExit('imported')")
    assert machine.findings()["torch"]["found"] == "2.13.0, built without CUDA"
