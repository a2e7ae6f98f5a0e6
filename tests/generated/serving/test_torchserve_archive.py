"""The archive for TorchServe, and the handler that it carries."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from {{ package }}.errors import InputError
from {{ package }}.export.metadata import describe
from {{ package }}.export.subject import Subject, load_subject
from {{ package }}.export.torchserve import (
    Context,
    TorchServe,
    load,
    start_handler,
)

from .conftest import RunExport

# A worker of the server, which has torch and none of this project.
WORKER = """
import importlib.util, json, sys, types
folder, package = sys.argv[1:]
name = "torchserve_handler"
specification = importlib.util.spec_from_file_location(name, f"{folder}/{name}.py")
module = importlib.util.module_from_spec(specification)
specification.loader.exec_module(module)
classes = [one for one in vars(module).values() if getattr(one, "__module__", "") == name]
(handler,) = [one() for one in classes]
context = types.SimpleNamespace(system_properties={"model_dir": folder, "gpu_id": None})
handler.initialize(context)
(answer,) = handler.handle([{"body": {"images": [[[[0.5] * 8] * 8]]}}], context)
print(json.dumps([answer, package in sys.modules]))
"""

Started = tuple[Any, Context]


@pytest.fixture(scope="module")
def subject(checkpoint: Path) -> Subject:
    """What is exported."""
    return load_subject(checkpoint)


@pytest.fixture(scope="module")
def archive(subject: Subject, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of the trained model."""
    folder = tmp_path_factory.mktemp("archive")
    target = TorchServe(checkpoint=subject.path, out=folder / "out", batch_size=3, workers=2)
    (name,) = target.write(subject, folder, describe(subject)).files
    return folder / name


@pytest.fixture
def started(archive: Path) -> Started:
    """The archive's handler, and the context of its next requests."""
    return start_handler(archive)


def body_of(value: object) -> dict[str, bytes]:
    """Return a request as a client sends it."""
    return {"body": json.dumps(value).encode()}


def test_the_archive_is_what_the_server_reads(archive: Path, subject: Subject) -> None:
    with zipfile.ZipFile(archive) as file:
        manifest = json.loads(file.read("MAR-INF/MANIFEST.json"))
        metadata = json.loads(file.read("metadata.json"))
        settings = file.read("model-config.yaml").decode().splitlines()
        names = set(file.namelist())

    assert archive.name == "{{ package }}.mar"
    assert list(archive.parent.iterdir()) == [archive]
    model = manifest["model"]
    assert manifest["runtime"] == "python"
    assert model["modelName"] == "{{ package }}"
    assert {model["serializedFile"], model["handler"], model["configFile"]} < names
    assert metadata == describe(subject)
    assert {"batchSize: 3", "minWorkers: 2", "maxWorkers: 2"} < set(settings)


def test_the_handler_needs_nothing_of_this_package(
    archive: Path,
    subject: Subject,
    tmp_path: Path,
) -> None:
    with zipfile.ZipFile(archive) as file:
        file.extractall(tmp_path)

    worker = [sys.executable, "-c", WORKER, str(tmp_path), "{{ package }}"]
    result = subprocess.run(worker, capture_output=True, check=True, cwd=tmp_path)

    answer, imported = json.loads(result.stdout)
    expected = subject.model(torch.full((1, 1, 8, 8), 0.5))
    assert torch.tensor(answer["logits"]).equal(expected)
    assert answer["labels"] == [str(expected.argmax().item())]
    assert not imported


def test_requests_that_come_together_get_their_own_answers(
    started: Started,
    subject: Subject,
) -> None:
    handler, context = started
    images = subject.example(6)
    parts = images.split([1, 3, 2])

    answers = handler.handle([body_of({"images": part.tolist()}) for part in parts], context)

    got = [torch.tensor(answer["logits"]) for answer in answers]
    assert [len(part) for part in got] == [1, 3, 2]
    torch.testing.assert_close(torch.cat(got), subject.model(images))
    assert context.refused == {}


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ({"body": b"{"}, "must be JSON"),
        ({"body": b"[" * 100_000}, "must be JSON"),
        ({"body": b"\xff"}, "must be JSON"),
        ({}, '{"images": [...]} and nothing else'),
        (body_of([]), '{"images": [...]} and nothing else'),
        (body_of({"images": [], "more": 1}), '{"images": [...]} and nothing else'),
        (body_of({"images": []}), "shape (1 or more, 1, 8, 8); it is (0,)"),
        (body_of({"images": 1}), "it is ()"),
        (body_of({"images": [[1, 2], [3, 4]]}), "it is (2, 2)"),
        (body_of({"images": [[1], [1, 2]]}), "all of one length"),
        (body_of({"images": ["7"]}), "lists of numbers"),
        (body_of({"images": [None]}), "lists of numbers"),
        (body_of({"images": [[[[10**400] * 8] * 8]]}), "lists of numbers"),
        (body_of({"images": [[[[float("nan")] * 8] * 8]]}), "finite"),
    ],
)
def test_a_wrong_request_is_refused_and_spoils_no_other(
    request_: dict[str, Any],
    told: str,
    started: Started,
    subject: Subject,
) -> None:
    handler, context = started
    good = body_of({"images": subject.example(1).tolist()})

    first, wrong, last = handler.handle([good, request_, good], context)

    assert told in wrong["error"]
    assert context.refused == {1: 400}
    assert first == last
    torch.testing.assert_close(
        torch.tensor(first["logits"]),
        subject.model(subject.example(1)),
    )


@pytest.mark.parametrize(
    ("option", "value"),
    [("batch_size", 0), ("max_batch_delay", -1), ("workers", 0), ("model_version", "one")],
)
def test_settings_that_the_server_would_refuse_are_refused(
    option: str,
    value: Any,
    tmp_path: Path,
) -> None:
    target = TorchServe(checkpoint=tmp_path, out=tmp_path / "out", **{option: value})

    with pytest.raises(InputError, match=f"--{option.replace('_', '-')} must be"):
        target.check()


@pytest.mark.slow
def test_the_export_is_proved_in_a_fresh_process(
    run_export: RunExport,
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = run_export("torchserve", "--model-version", "2.1")

    assert report["greatest_difference"] <= 1e-4
    assert report["agreement"] == 1
    assert report["facts"] == {"version": "2.1"}
    assert "archived upstream" in capsys.readouterr().out


def test_a_refusal_is_no_answer(archive: Path) -> None:
    predict = load(archive.parent)

    with pytest.raises(ValueError, match="must be of shape"):
        predict(torch.zeros(1, 1, 4, 4))
