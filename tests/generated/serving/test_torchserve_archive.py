"""The archive for TorchServe, and the handler that it carries, for models of several kinds.

One has an integer and a row of floats as inputs and a dictionary of outputs; the other takes texts
of any length with their padding, and requests can be computed together only where those agree.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
import torch
from digits.command import InputError
from digits.export.torchserve import TorchServe

from .client import save_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

# A worker of the server, which has torch and none of this project.
WORKER = """
import importlib.util, json, sys, types
folder, package, body = sys.argv[1:]
name = "torchserve_handler"
specification = importlib.util.spec_from_file_location(name, f"{folder}/{name}.py")
module = importlib.util.module_from_spec(specification)
specification.loader.exec_module(module)
found = [one for one in vars(module).values() if isinstance(one, type)]
classes = [one for one in found if one.__module__ == name]
(handler,) = [one() for one in classes]
context = types.SimpleNamespace(system_properties={"model_dir": folder, "gpu_id": None})
handler.initialize(context)
(answer,) = handler.handle([{"body": json.loads(body)}], context)
print(json.dumps([answer, package in sys.modules]))
"""

Outputs = dict[str, torch.Tensor]


class Archive:
    """The archive of a task's model."""

    def __init__(self, task: str, folder: Path) -> None:
        self.task = task
        subjects = importlib.import_module(f"{task}.export.subject")
        self.torchserve = importlib.import_module(f"{task}.export.torchserve")
        self.subject = subjects.load_subject(save_checkpoint(task, folder))
        self.metadata = importlib.import_module(f"{task}.export.report").describe(self.subject)
        target = self.torchserve.TorchServe(
            checkpoint=self.subject.path, out=folder / "out", batch_size=3, workers=2
        )
        (name,) = target.write(self.subject, folder, self.metadata).files
        self.path = folder / name
        self.handler, self.context, _ = self.torchserve.start_handler(self.path)

    def samples(self, *numbers: int) -> Outputs:
        """Return the inputs of some test samples, as one batch."""
        splits, count = self.subject.splits, len(self.subject.splits.test)
        samples = [splits.test[number % count] for number in numbers]
        inputs: Outputs = self.subject.inputs_of(splits.collate(samples))
        return inputs

    def handle(self, *bodies: object) -> list[dict[str, Any]]:
        """Return the handler's answers to requests that came together."""
        self.context.refused.clear()
        requests = [{"body": json.dumps(body).encode()} for body in bodies]
        answers: list[dict[str, Any]] = self.handler.handle(requests, self.context)
        return json.loads(json.dumps(answers))  # type: ignore[no-any-return]


def body_of(inputs: Outputs) -> dict[str, Any]:
    """Return a request as a client sends it."""
    return {name: tensor.tolist() for name, tensor in inputs.items()}


def assert_answers(answer: dict[str, Any], outputs: Outputs) -> None:
    """Compare an answer with what the model returns."""
    assert answer.keys() == outputs.keys()
    for name, tensor in outputs.items():
        torch.testing.assert_close(torch.tensor(answer[name]), tensor, atol=1e-5, rtol=1e-5)


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """The model of two inputs and two outputs."""
    return Archive("fourth", tmp_path_factory.mktemp("fourth"))


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """The model of texts."""
    return Archive("sequence", tmp_path_factory.mktemp("sequence"))


def test_the_archive_is_what_the_server_reads(days: Archive) -> None:
    with zipfile.ZipFile(days.path) as file:
        manifest = json.loads(file.read("MAR-INF/MANIFEST.json"))
        metadata = json.loads(file.read("metadata.json"))
        settings = file.read("model-config.yaml").decode().splitlines()
        names = set(file.namelist())

    assert days.path.name == "fourth.mar"
    model = manifest["model"]
    assert manifest["runtime"] == "python"
    assert model["modelName"] == "fourth"
    assert {model["serializedFile"], model["handler"], model["configFile"]} < names
    assert metadata == days.metadata
    assert {"batchSize: 3", "minWorkers: 2", "maxWorkers: 2"} < set(settings)


def test_the_handler_needs_nothing_of_the_package(days: Archive, tmp_path: Path) -> None:
    with zipfile.ZipFile(days.path) as file:
        file.extractall(tmp_path)
    inputs = days.samples(0, 1)

    worker = [sys.executable, "-c", WORKER, str(tmp_path), "fourth", json.dumps(body_of(inputs))]
    result = subprocess.run(worker, stdout=subprocess.PIPE, check=True, cwd=tmp_path)

    answer, imported = json.loads(result.stdout)
    assert_answers(answer, days.subject.outputs(inputs))
    assert not imported


@pytest.mark.parametrize("task", ["days", "texts"])
def test_requests_that_come_together_get_their_own_answers(
    task: str, request: pytest.FixtureRequest
) -> None:
    archive: Archive = request.getfixturevalue(task)
    parts = [archive.samples(*numbers) for numbers in ([0], [1, 2, 3], [4], [5, 6], [0])]

    answers = archive.handle(*map(body_of, parts))

    assert archive.context.refused == {}
    for answer, part in zip(answers, parts, strict=True):
        assert_answers(answer, archive.subject.outputs(part))


def test_requests_of_one_length_are_computed_in_one_batch(
    texts: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes: list[tuple[int, ...]] = []
    model = texts.handler._model

    def watched(**inputs: torch.Tensor) -> Any:
        shapes.append(tuple(inputs["tokens"].shape))
        return model(**inputs)

    monkeypatch.setattr(texts.handler, "_model", watched)
    short, long = ({"tokens": [[1] * n], "padding_mask": [[False] * n]} for n in (3, 5))

    texts.handle(short, long, short, short)

    assert sorted(shapes) == [(1, 5), (3, 3)]


DAY: dict[str, Any] = {"readings": [[0.5] * 5], "store": [3]}


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ([], '{"readings": [...], "store": [...]} and nothing else'),
        ({"readings": [[0.5] * 5]}, "and nothing else"),
        (DAY | {"more": 1}, "and nothing else"),
        (DAY | {"readings": []}, "readings must be of shape (batch: 1 or more, 5); it is (0,)."),
        (DAY | {"readings": 1}, "it is ()."),
        (DAY | {"readings": [[0.5] * 4]}, "it is (1, 4)."),
        (DAY | {"readings": [[0.5] * 5] * 2}, "batch is 1 in store, and 2 before it."),
        (
            DAY | {"readings": [[1], [1, 2]]},
            "readings must be lists of numbers, all of one length.",
        ),
        (DAY | {"readings": ["7"]}, "lists of numbers"),
        (DAY | {"readings": [None]}, "lists of numbers"),
        (DAY | {"readings": [[10**400] * 5]}, "lists of numbers"),
        (DAY | {"readings": [[float("nan")] * 5]}, "readings must be finite numbers."),
        (DAY | {"store": [1.5]}, "store must be lists of integers, all of one length."),
        (DAY | {"store": [True]}, "lists of integers"),
        (DAY | {"store": [2**80]}, "lists of integers"),
        (DAY | {"store": [99]}, "The model refuses these inputs: index out of range"),
    ],
)
def test_a_wrong_request_is_refused_and_harms_no_other(
    body: object, complaint: str, days: Archive
) -> None:
    first, wrong, last = days.handle(DAY, body, DAY)

    assert complaint in wrong["error"]
    assert days.context.refused == {1: 400}
    expected = days.subject.outputs({name: torch.tensor(value) for name, value in DAY.items()})
    for answer in (first, last):  # Rows of one batch may differ by rounding.
        assert_answers(answer, expected)


@pytest.mark.parametrize("body", [b"{", b"[" * 100_000, b"\xff", None])
def test_a_body_that_is_not_json_is_refused(body: bytes | None, days: Archive) -> None:
    days.context.refused.clear()
    (answer,) = days.handler.handle([{} if body is None else {"body": body}], days.context)

    assert days.context.refused == {0: 400}
    assert answer["error"].startswith("The body must be ")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"tokens": [[1] * 65]}, "length: 1 to 64); it is (1, 65)."),
        ({"tokens": [[1, 2]]}, "length is 3 in padding_mask, and 2 before it."),
        ({"padding_mask": [[0, 0, 0]]}, "padding_mask must be lists of true and false"),
        ({"padding_mask": [[]]}, "it is (1, 0)."),
    ],
)
def test_lengths_and_masks_are_checked(
    change: dict[str, Any], complaint: str, texts: Archive
) -> None:
    (answer,) = texts.handle({"tokens": [[1, 2, 3]], "padding_mask": [[False] * 3]} | change)

    assert texts.context.refused == {0: 400}
    assert complaint in answer["error"]


@pytest.mark.parametrize(
    ("option", "value"),
    [("batch_size", 0), ("max_batch_delay", -1), ("workers", 0), ("model_version", "one")],
)
def test_settings_that_the_server_would_refuse_are_refused(
    option: str, value: Any, tmp_path: Path
) -> None:
    target = TorchServe(checkpoint=tmp_path, out=tmp_path / "out", **{option: value})

    with pytest.raises(InputError, match=f"--{option.replace('_', '-')} must be"):
        target.check()


def test_what_is_loaded_back_are_the_models_outputs(days: Archive) -> None:
    predict = days.torchserve.load(days.path.parent)
    inputs = days.samples(0, 1, 2)

    found = predict(inputs)

    expected = list(days.subject.outputs(inputs).values())
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    with pytest.raises(ValueError, match="must be of shape"):
        predict(inputs | {"readings": torch.zeros(1, 4)})
