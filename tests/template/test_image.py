"""The generated images: built, read back and run for real, by buildah on a base of debootstrap.

One rendered repository and one storage for all tests of a run; all of it goes with the last test.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .container_server import Server, request
from .image_builder import PLAIN, PROGRAMS, WITH_TORCH, Builder, can_overlay

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Render

SECRET = "a-secret-of-the-test"
PORTS: dict[str, set[str]] = {
    "train": set(),
    "notebook": {"8888/tcp"},
    "ssh": {"2222/tcp"},
    "torchserve": {"8080/tcp"},
    "serve": {"8000/tcp"},
}
# What a container of the test needs of the test's environment.
ONE_THREAD = ["--env", "OMP_NUM_THREADS=1"]

buildable = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can make the base image"),
    *(
        pytest.mark.skipif(shutil.which(name) is None, reason=f"{name} is not installed")
        for name in PROGRAMS
    ),
]


@pytest.fixture(scope="module")
def repository(render: Render) -> Path:
    """A repository with every target."""
    parts = dict.fromkeys(("compose", "ssh_server", "server", "notebook"), True)
    return render(package="digits", exports=["torch-export", "torchserve"], **parts)


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    """A builder that has the bases."""
    if not can_overlay(tmp_path_factory.mktemp("probe")):
        pytest.skip("no overlay file system can be mounted here")
    builder = Builder(tmp_path_factory.mktemp("images"))
    try:
        builder.make_bases()
        yield builder
    finally:
        builder.remove()


@pytest.fixture(scope="module")
def images(builder: Builder, repository: Path) -> dict[str, str]:
    """The tags of all targets, built on the base that has torch."""
    tags = {target: f"localhost/digits-{target}" for target in PORTS}
    for target, tag in tags.items():
        builder.build(repository, tag, *on(WITH_TORCH), "--target", target)
    return tags


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the images' user, for what they leave."""
    folder = tmp_path_factory.mktemp("volume")
    os.chown(folder, 1000, 1000)
    # pytest keeps others out of what it makes; the user in the image comes by its own path.
    return folder


def on(base: str) -> list[str]:
    """Return the option that chooses a base image."""
    return ["--build-arg", f"BASE_IMAGE={base}"]


class TestImage:
    """What the builds make, in the order in which a person would look at it."""

    pytestmark = buildable

    def test_every_target_says_how_it_is_run(
        self, builder: Builder, images: dict[str, str]
    ) -> None:
        for target, tag in images.items():
            configuration = builder.configuration(tag)
            assert configuration["User"] == "1000:1000", target
            assert configuration["WorkingDir"] == "/workspace"
            assert configuration["StopSignal"] == "SIGTERM"
            assert not configuration.get("Entrypoint")
            assert set(configuration.get("ExposedPorts", {})) == PORTS[target], target
            check = configuration["Healthcheck"]["Test"]
            assert check == ["NONE"] if target == "train" else check[0] == "CMD", target
            assert "NVIDIA_DRIVER_CAPABILITIES=compute,utility" in configuration["Env"]
            assert not any(re.search("TOKEN|KEYS", line) for line in configuration["Env"])

    def test_the_images_torch_is_the_bases(self, builder: Builder, images: dict[str, str]) -> None:
        def torch_of(tag: str, python: str) -> str:
            script = "import os, torch; print(torch.__file__, os.stat(torch.__file__).st_mtime_ns)"
            return builder.run(builder.container(tag), python, "-W", "ignore", "-c", script)

        base = torch_of(WITH_TORCH, "python3")
        assert base.startswith("/usr/local/lib/")
        for target, tag in images.items():
            assert torch_of(tag, "python") == base, target

    def test_the_user_owns_what_it_writes_and_nothing_else(
        self, builder: Builder, images: dict[str, str]
    ) -> None:
        script = "whoami; touch data/a runs/a; touch /opt/venv/a; touch src/a; true"
        for target, tag in images.items():
            printed = builder.run(builder.container(tag), "sh", "-c", script)
            assert printed.startswith("app\n"), target
            assert "data/a" not in printed
            assert "runs/a" not in printed
            assert "'/opt/venv/a': Permission denied" in printed
            # Who works in an image may change the code; who only serves may not.
            assert ("'src/a': Permission denied" in printed) is (target == "serve")

    def test_nothing_is_left_of_installing(self, builder: Builder, images: dict[str, str]) -> None:
        for tag in images.values():
            root = Path(builder.buildah("mount", container := builder.container(tag)).strip())
            assert not list((root / "var/lib/apt/lists").glob("*_*"))
            assert not list((root / "root/.cache").rglob("*.whl"))
            assert not list((root / "etc/ssh").glob("ssh_host_*"))
            assert not (root / "workspace/.git").exists()
            builder.buildah("umount", container)

    def test_the_tests_pass_in_it(self, builder: Builder, images: dict[str, str]) -> None:
        container = builder.container(images["train"])

        printed = builder.run(container, "pytest", "-q", "-m", "not slow", options=ONE_THREAD)

        assert re.search(r"\d+ passed", printed), printed
        assert builder.left_running() == {}
        assert "git" in builder.run(container, "git", "--version")
        assert "tmux" in builder.run(container, "tmux", "-V")

    def test_it_trains_and_its_server_predicts(
        self, builder: Builder, images: dict[str, str], runs: Path
    ) -> None:
        train = [*builder.configuration(images["train"])["Cmd"], "--epochs", "2"]
        volume = f"--volume={runs}:/workspace/runs"
        builder.run(builder.container(images["train"]), *train, options=[*ONE_THREAD, volume])
        (best,) = runs.rglob("best.pt")
        assert best.stat().st_uid == 1000

        serve = builder.configuration(images["serve"])["Cmd"]
        volume += ":ro"
        refused = builder.run(builder.container(images["serve"]), *serve, options=[volume], code=2)
        assert "SERVE_TOKEN" in refused

        options = [*ONE_THREAD, volume, "--env", f"SERVE_TOKEN={SECRET}"]
        body = json.dumps({"inputs": [[[0] * 8] * 8]})
        with Server(builder, images["serve"], *options) as server:
            assert request(server.port, "POST", "/predict", body)[0] == 401
            assert request(server.port, "POST", "/predict", body, token="guess")[0] == 401
            status, answer = request(server.port, "POST", "/predict", body, token=SECRET)
            assert status == 200
            (prediction,) = json.loads(answer)["predictions"]
            assert sum(prediction["probabilities"]) == pytest.approx(1)

    def test_the_notebook_wants_its_token(self, builder: Builder, images: dict[str, str]) -> None:
        command = builder.configuration(images["notebook"])["Cmd"]
        refused = builder.run(builder.container(images["notebook"]), *command, code=2)
        assert "JUPYTER_TOKEN" in refused

        options = ["--env", f"JUPYTER_TOKEN={SECRET}"]
        with Server(builder, images["notebook"], *options) as server:
            path = "/api/contents/notebooks"
            assert request(server.port, "GET", path)[0] == 403
            assert request(server.port, "GET", path, token="guess", scheme="token")[0] == 403
            assert request(server.port, "GET", "/lab")[0] == 302
            status, page = request(server.port, "GET", "/lab", token=SECRET, scheme="token")
            assert status == 200
            assert "JupyterLab" in page
            status, listing = request(server.port, "GET", path, token=SECRET, scheme="token")
            assert status == 200
            assert "quickstart.ipynb" in listing

    def test_the_notebook_runs_in_it(self, builder: Builder, images: dict[str, str]) -> None:
        arguments = ["jupyter", "execute", "notebooks/quickstart.ipynb", "--timeout=300"]
        builder.run(builder.container(images["notebook"]), *arguments, options=ONE_THREAD)

    def test_ssh_lets_in_the_key_and_nobody_else(
        self, builder: Builder, images: dict[str, str]
    ) -> None:
        command = builder.configuration(images["ssh"])["Cmd"]
        client = builder.container(images["ssh"])
        refused = builder.run(client, *command, code=2)
        assert "SSH_PUBLIC_KEYS" in refused
        for name in ("right", "wrong"):
            builder.run(client, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"/tmp/{name}")
        key = builder.run(client, "cat", "/tmp/right.pub").strip()

        login = ["-o", "StrictHostKeyChecking=no", "-o", "BatchMode=yes", "-p", "2222"]
        python = 'python -c "import sys, digits, torch; print(sys.prefix)"'
        with Server(builder, images["ssh"], "--env", f"SSH_PUBLIC_KEYS={key}"):
            let_in = ["ssh", *login, "-i", "/tmp/right", "app@127.0.0.1", python]
            assert "/opt/venv" in builder.run(client, *let_in)
            others = (["-i", "/tmp/wrong", "app@"], ["-i", "/tmp/right", "root@"])
            for *identity, user in others:
                told = builder.run(
                    client, "ssh", *login, *identity, f"{user}127.0.0.1", "true", code=255
                )
                assert "Permission denied (publickey)" in told

    def test_the_user_has_the_numbers_that_are_asked_for(
        self, builder: Builder, repository: Path
    ) -> None:
        numbers = ["--build-arg", "USER_UID=1234", "--build-arg", "USER_GID=100"]
        builder.build(repository, "localhost/numbers", *on(WITH_TORCH), *numbers, "--target=base")

        printed = builder.run(
            builder.container("localhost/numbers"),
            *("stat", "--format=%u:%g", "/workspace", "/workspace/data", "/workspace/runs"),
        )

        assert printed.split() == ["1234:100"] * 3
        root = ["--build-arg", "USER_UID=0"]
        told = builder.fail_to_build(repository, *on(WITH_TORCH), *root, "--target=base")
        assert "USER_UID must not be 0" in told

    def test_another_torch_than_the_bases_is_never_installed(
        self, builder: Builder, repository: Path, tmp_path: Path
    ) -> None:
        changed = Path(shutil.copytree(repository, tmp_path / "changed", symlinks=True))
        project = changed / "pyproject.toml"
        project.write_text(re.sub(r'"torch>=[^"]*"', '"torch>=99"', project.read_text()))

        told = builder.fail_to_build(changed, *on(WITH_TORCH), "--target=serve")

        assert re.search(r"torch>=99.*\n?.*(conflict|constraint)", told, re.IGNORECASE), told

    def test_a_base_without_torch_gets_one(self, builder: Builder, repository: Path) -> None:
        builder.build(repository, "localhost/added", *on(PLAIN), "--target=serve")

        script = "import torch; print(torch.__file__)"
        container = builder.container("localhost/added")
        printed = builder.run(container, "python", "-c", script)

        assert printed.splitlines()[-1].startswith("/opt/venv/")
