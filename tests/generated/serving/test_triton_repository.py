"""The model repository for Triton, for models of several kinds."""

from __future__ import annotations

import dataclasses
import importlib
import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
from fourth.command import InputError
from fourth.export.report import describe
from fourth.export.subject import load_subject
from fourth.export.triton import Triton, load, read_config

from .client import save_checkpoint

pytest.importorskip("tritonclient.grpc")

if TYPE_CHECKING:
    from pathlib import Path

    from fourth.export.subject import Subject

MODEL = "fourth"


def files_in(folder: Path) -> set[str]:
    """Return all files, by their paths in the folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """A model with an integer and floats as inputs, and a dictionary of outputs."""
    return load_subject(save_checkpoint(MODEL, tmp_path_factory.mktemp("fourth")))


def target(subject: Subject, out: Path, **options: Any) -> Triton:
    """Return the target with these options."""
    return Triton(checkpoint=subject.path, out=out, **options)


def write(target: Triton, subject: Subject, folder: Path) -> Path:
    """Write the files of a version, and return their folder."""
    target.write(subject, folder, describe(subject))
    return folder


def test_the_repository_is_as_the_server_wants_it(subject: Subject, tmp_path: Path) -> None:
    options = {"max_batch_size": 32, "max_queue_delay": 100}
    out = write(target(subject, tmp_path / "out", **options), subject, tmp_path / "out")

    version = {f"{MODEL}/1/{name}" for name in ("model.onnx", "metadata.json")}
    assert files_in(out) == {f"{MODEL}/config.pbtxt", *version}
    config = read_config(out / MODEL / "config.pbtxt")
    assert (config.name, config.backend, config.max_batch_size) == (MODEL, "onnxruntime", 32)
    assert config.dynamic_batching.max_queue_delay_microseconds == 100
    assert config.version_policy.latest.num_versions == 2
    assert not config.instance_group
    # A number for each sample has a dimension in the server alone.
    described = [
        (one.name, list(one.dims), one.HasField("reshape"))
        for one in (*config.input, *config.output)
    ]
    assert described == [
        ("readings", [5], False),
        ("store", [1], True),
        ("sales", [1], True),
        ("sold_out", [1], True),
    ]
    types = [config.input[0].data_type, config.input[1].data_type, config.output[0].data_type]
    assert types == [11, 9, 11], "FP32, INT64, FP32"
    assert [one.batch_size for one in config.model_warmup] == [1, 32]
    for warmup in config.model_warmup:
        assert {name: list(one.dims) for name, one in warmup.inputs.items()} == {
            "readings": [5],
            "store": [1],
        }


def test_a_text_has_any_length_and_a_trace_numbers_for_names(tmp_path: Path) -> None:
    room = importlib.import_module("sequence.export.triton")
    texts = importlib.import_module("sequence.export.subject").load_subject(
        save_checkpoint("sequence", tmp_path)
    )
    metadata = importlib.import_module("sequence.export.report").describe(texts)
    for backend, file, first in (
        ("onnxruntime", "model.onnx", "tokens"),
        ("pytorch", "model.pt", "tokens__0"),
    ):
        out = tmp_path / backend
        room.Triton(checkpoint=texts.path, out=out, backend=backend).write(texts, out, metadata)

        config = room.read_config(out / "sequence" / "config.pbtxt")
        assert (out / "sequence" / "1" / file).stat().st_size > 0
        assert config.input[0].name == first
        assert [list(one.dims) for one in config.input] == [[-1], [-1]]
        assert [len(one.dims) for one in config.output] == [2]
        assert config.output[0].dims[0] == -1
        # A trace keeps the CPU that it was made on.
        on_cpu = [group.kind == group.KIND_CPU for group in config.instance_group]
        assert on_cpu == ([True] if backend == "pytorch" else [])
        inputs = texts.example(3)
        (found,) = torch.utils._pytree.tree_leaves(room.load(out)(inputs))
        (expected,) = texts.outputs(inputs).values()
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_what_triton_cannot_take_is_refused(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = describe(subject)
    with pytest.raises(InputError, match="neither a tensor nor a tuple of tensors"):
        target(subject, tmp_path, backend="pytorch").write(subject, tmp_path / "dict", metadata)

    sales, sold_out = metadata["outputs"]
    for number, (outputs, complaint) in enumerate(
        (
            ([sales | {"dtype": "bfloat16"}, sold_out], "takes no bfloat16, which sales is"),
            ([sales | {"shape": []}, sold_out], "sales has no dimension"),
        )
    ):
        with pytest.raises(InputError, match=complaint):
            target(subject, tmp_path).write(
                subject, tmp_path / str(number), metadata | {"outputs": outputs}
            )


def test_an_output_without_the_batch_is_served_without_batches(
    subject: Subject, tmp_path: Path
) -> None:
    metadata = describe(subject)
    sales, sold_out = metadata["outputs"]
    whole = metadata | {"outputs": [sales | {"shape": [7]}, sold_out]}

    config = target(subject, tmp_path)._config(subject, whole)

    assert config.max_batch_size == 0
    assert not config.HasField("dynamic_batching")
    assert [list(one.dims) for one in config.input] == [[-1, 5], [-1]]
    assert [list(one.dims) for one in config.output] == [[7], [-1]]
    (warmup,) = config.model_warmup
    assert (warmup.batch_size, list(warmup.inputs["readings"].dims)) == (1, [2, 5])
    with pytest.raises(InputError, match="--max-batch-size has no use here"):
        target(subject, tmp_path, max_batch_size=8)._config(subject, whole)


def test_a_batch_that_the_task_limits_is_limited(subject: Subject, tmp_path: Path) -> None:
    metadata = describe(subject)
    small = metadata | {"dimensions": {"batch": {"minimum": 1, "maximum": 8}}}

    config = target(subject, tmp_path)._config(subject, small)

    assert config.max_batch_size == 8
    with pytest.raises(InputError, match=r"--max-batch-size must be at most 8.*; it is 9"):
        target(subject, tmp_path, max_batch_size=9)._config(subject, small)


def test_a_version_joins_a_repository_and_changes_nothing_else(
    subject: Subject, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    first, staged = target(subject, out), tmp_path / "staged"
    write(first, subject, staged)
    (staged / "export.json").write_text("the first report")
    first.deliver(staged)
    # As somebody who needs more instances writes it.
    config = out / MODEL / "config.pbtxt"
    config.write_text(f"{config.read_text()}instance_group {{ count: 2 }}\n")
    before = {name: (out / name).read_bytes() for name in files_in(out)}

    third = target(subject, out, model_version=3)
    third.check()
    write(third, subject, staged)
    (staged / "export.json").write_text("the third report")
    third.deliver(staged)

    added = {f"{MODEL}/3/{name}" for name in ("model.onnx", "metadata.json", "export.json")}
    assert files_in(out) == {*before, *added}
    assert {name: (out / name).read_bytes() for name in before} == before
    with pytest.raises(InputError, match="3 is there already: give another --model-version"):
        third.check()


def test_another_model_does_not_join_a_repository(subject: Subject, tmp_path: Path) -> None:
    out = write(target(subject, tmp_path / "out"), subject, tmp_path / "out")
    joining = target(subject, out, model_version=2, max_queue_delay=500)
    metadata = describe(subject)
    joining.write(subject, tmp_path / "same", metadata)
    sales, sold_out = metadata["outputs"]

    for number, (other, changed, complaint) in enumerate(
        (
            (dataclasses.replace(joining, max_batch_size=32), {}, "leave --max-batch-size out"),
            (dataclasses.replace(joining, max_queue_delay=0), {}, "leave --max-queue-delay out"),
            (joining, {"outputs": [sold_out, sales]}, "has another output than this version"),
        )
    ):
        with pytest.raises(InputError, match=complaint):
            other.write(subject, tmp_path / str(number), metadata | changed)
    (out / MODEL / "config.pbtxt").write_text("nmae: 'x'")
    with pytest.raises(InputError, match=r"is not a configuration of a model: 1:1 .*nmae"):
        joining.write(subject, tmp_path / "broken", metadata)


def test_a_repository_that_appears_meanwhile_is_joined_or_refused(
    subject: Subject, tmp_path: Path
) -> None:
    out, staged = tmp_path / "out", tmp_path / "staged"
    second = target(subject, out, model_version=2)
    second.check()
    write(second, subject, staged)
    (staged / "export.json").write_text("the report")
    write(target(subject, out, model_version=1), subject, out)
    config = out / MODEL / "config.pbtxt"
    same = config.read_text()
    before = files_in(out)

    config.write_text(same.replace("onnxruntime", "pytorch"))
    with pytest.raises(InputError, match="another backend"):
        second.deliver(staged)
    assert files_in(out) == before

    config.write_text(same)
    (staged / MODEL / "2" / "export.json").rename(staged / "export.json")
    second.deliver(staged)
    added = {f"{MODEL}/2/{name}" for name in ("model.onnx", "metadata.json", "export.json")}
    assert files_in(out) == before | added


def test_what_is_loaded_back_is_the_newest_version(subject: Subject, tmp_path: Path) -> None:
    for version in (9, 10):
        write(target(subject, tmp_path / "none", model_version=version), subject, tmp_path)
    (tmp_path / MODEL / "9" / "model.onnx").write_bytes(b"nothing")
    inputs = subject.example(5)

    found = load(tmp_path)(inputs)

    expected = list(subject.outputs(inputs).values())
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert json.loads((tmp_path / MODEL / "10" / "metadata.json").read_text())["name"] == MODEL


def test_a_folder_that_is_not_a_repository_is_left_alone(subject: Subject, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is there already: give another --out"):
        target(subject, tmp_path, model_version=2).check()


@pytest.mark.parametrize(
    ("option", "value"),
    [("model_version", 0), ("max_batch_size", 0), ("max_queue_delay", -1)],
)
def test_settings_out_of_range_are_refused(
    option: str, value: int, subject: Subject, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=f"--{option.replace('_', '-')} must be between"):
        target(subject, tmp_path / "out", **{option: value}).check()
