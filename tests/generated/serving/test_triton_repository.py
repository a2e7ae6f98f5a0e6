"""The model repository for Triton."""

import dataclasses
import json
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from {{ package }}.errors import InputError
from {{ package }}.export.__main__ import main
from {{ package }}.export.metadata import describe
from {{ package }}.export.subject import load_subject
from {{ package }}.export.triton import Triton, load, read_config

pytest.importorskip(
    "tritonclient.grpc",
    reason="tritonclient is not installed: pip install -e '.[triton]'",
)

MODEL = "{{ package }}"


def export(checkpoint: Path, out: Path, *options: str) -> None:
    """Export with the command."""
    main(["triton", "--checkpoint", str(checkpoint), "--out", str(out), *options])


def files_in(folder: Path) -> set[str]:
    """Return all files, by their paths in the folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def report_of(repository: Path, version: int = 1) -> dict[str, Any]:
    """Return what ``export.json`` says of a version."""
    path = repository / MODEL / str(version) / "export.json"
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return report


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "file", "number"),
    [("onnxruntime", "model.onnx", ""), ("pytorch", "model.pt", "__0")],
)
def test_the_repository_is_as_the_server_wants_it(
    backend: str,
    file: str,
    number: str,
    checkpoint: Path,
    tmp_path: Path,
) -> None:
    options = ("--backend", backend, "--max-batch-size", "32", "--max-queue-delay", "100")
    export(checkpoint, tmp_path / "out", *options)

    version = {f"{MODEL}/1/{name}" for name in (file, "metadata.json", "export.json")}
    assert files_in(tmp_path / "out") == {f"{MODEL}/config.pbtxt", f"{MODEL}/labels.txt", *version}
    config = read_config(tmp_path / "out" / MODEL / "config.pbtxt")
    assert (config.name, config.backend, config.max_batch_size) == (MODEL, backend, 32)
    assert config.dynamic_batching.max_queue_delay_microseconds == 100
    assert config.version_policy.latest.num_versions == 2
    # A trace keeps the CPU that it was made on.
    on_cpu = [group.kind == group.KIND_CPU for group in config.instance_group]
    assert on_cpu == ([True] if backend == "pytorch" else [])
    (given,), (got,) = config.input, config.output
    assert (given.name, list(given.dims)) == (f"images{number}", [1, 8, 8])
    assert (got.name, list(got.dims), got.label_filename) == (f"logits{number}", [10], "labels.txt")
    assert [one.batch_size for one in config.model_warmup] == [1, 32]
    for warmup in config.model_warmup:
        (value,) = [warmup.inputs[name] for name in warmup.inputs]
        assert list(warmup.inputs) == [given.name]
        assert (value.data_type, list(value.dims)) == (given.data_type, [1, 8, 8])
    labels = (tmp_path / "out" / MODEL / "labels.txt").read_text(encoding="utf-8")
    assert labels.split() == [str(digit) for digit in range(10)]
    report = report_of(tmp_path / "out")
    assert report["greatest_difference"] <= 1e-4
    assert report["agreement"] == 1
    assert report["facts"]["backend"] == backend
    metadata = (tmp_path / "out" / MODEL / "1" / "metadata.json").read_text(encoding="utf-8")
    assert json.loads(metadata) == report["metadata"] == describe(load_subject(checkpoint))


@pytest.mark.slow
def test_a_version_joins_a_repository_and_changes_nothing_else(
    checkpoint: Path,
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    export(checkpoint, out)
    # As somebody who needs more instances writes it.
    config = out / MODEL / "config.pbtxt"
    config.write_text(f"{config.read_text()}instance_group {% raw %}{{ count: 2 }}{% endraw %}\n")
    before = {name: (out / name).read_bytes() for name in files_in(out)}

    export(checkpoint, out, "--model-version", "3")

    added = {f"{MODEL}/3/{name}" for name in ("model.onnx", "metadata.json", "export.json")}
    assert files_in(out) == {*before, *added}
    assert {name: (out / name).read_bytes() for name in before} == before
    assert report_of(out, 3)["facts"]["version"] == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]

    subject = load_subject(checkpoint)
    target = Triton(checkpoint=checkpoint, out=out, model_version=3)
    with pytest.raises(InputError, match="3 is there already: give another --model-version"):
        target.check()
    other = dataclasses.replace(target, model_version=4, backend="pytorch")
    with pytest.raises(InputError, match="another backend"):
        other.write(subject, tmp_path / "staged", describe(subject))
    (out / MODEL / "labels.txt").write_text("other\n")
    with pytest.raises(InputError, match="other labels"):
        dataclasses.replace(target, model_version=5).write(
            subject,
            tmp_path / "staged",
            describe(subject),
        )
    config.write_text("nmae: 'x'")
    with pytest.raises(InputError, match=r"no configuration of a model: 1:1 .*nmae"):
        dataclasses.replace(target, model_version=6).write(
            subject,
            tmp_path / "staged",
            describe(subject),
        )


@pytest.mark.slow
def test_a_setting_that_the_repository_has_otherwise_is_refused(
    checkpoint: Path,
    tmp_path: Path,
) -> None:
    subject = load_subject(checkpoint)
    out, metadata = tmp_path / "out", describe(subject)
    target = Triton(checkpoint=checkpoint, out=out, max_batch_size=16)
    target.write(subject, out, metadata)
    joining = dataclasses.replace(target, model_version=2, max_queue_delay=500)

    joining.write(subject, tmp_path / "same", metadata)

    for other, option in (
        (dataclasses.replace(joining, max_batch_size=64), "--max-batch-size"),
        (dataclasses.replace(joining, max_queue_delay=0), "--max-queue-delay"),
    ):
        with pytest.raises(InputError, match=f"stays as it is: leave {option} out"):
            other.write(subject, tmp_path / option, metadata)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["onnxruntime", "pytorch"])
def test_a_repository_that_comes_into_being_meanwhile_is_joined_or_refused(
    backend: Literal["onnxruntime", "pytorch"],
    checkpoint: Path,
    tmp_path: Path,
) -> None:
    subject, out = load_subject(checkpoint), tmp_path / "out"
    staged, metadata = tmp_path / "staged", describe(subject)
    target = Triton(checkpoint=checkpoint, out=out, model_version=2)
    target.check()
    target.write(subject, staged, metadata)
    (staged / "export.json").write_text("the report")
    dataclasses.replace(target, model_version=1, backend=backend).write(subject, out, metadata)
    before = files_in(out)

    if backend == "pytorch":
        with pytest.raises(InputError, match="another backend"):
            target.deliver(staged)
        assert files_in(out) == before
    else:
        target.deliver(staged)
        added = {f"{MODEL}/2/{name}" for name in ("model.onnx", "metadata.json", "export.json")}
        assert files_in(out) == before | added


@pytest.mark.slow
def test_what_is_loaded_back_is_the_newest_version(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for version in (9, 10):
        export(checkpoint, out, "--model-version", str(version))
    (out / MODEL / "9" / "model.onnx").write_bytes(b"nothing")
    subject = load_subject(checkpoint)

    logits = load(out)(subject.example(5))

    torch.testing.assert_close(logits, subject.model(subject.example(5)), atol=1e-4, rtol=0)


def test_a_folder_that_is_no_repository_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()

    with pytest.raises(InputError, match="is there already: give another --out"):
        Triton(checkpoint=tmp_path, out=tmp_path / "out", model_version=2).check()


@pytest.mark.parametrize(
    ("option", "value"),
    [("model_version", 0), ("max_batch_size", 0), ("max_queue_delay", -1)],
)
def test_settings_without_sense_are_refused(option: str, value: int, tmp_path: Path) -> None:
    settings: dict[str, Any] = {option: value}

    with pytest.raises(InputError, match=f"--{option.replace('_', '-')} must be between"):
        Triton(checkpoint=tmp_path, out=tmp_path / "out", **settings).check()
