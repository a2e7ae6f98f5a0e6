"""A sweep: a run for each combination of settings, and a table that compares them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .running import call, load, small

if TYPE_CHECKING:
    from pathlib import Path

RATE = "optimizer.learning_rate"


def test_a_run_that_fails_is_reported_and_the_others_are_trained(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    sweep = [tmp_path, "--grid", f"{RATE}=1e-3,1e30,3e-3", "--", *small("tabular", epochs=1)]
    folders = [tmp_path / f"{RATE}={rate}" for rate in ("1e-3", "1e30", "3e-3")]

    assert call("tabular.sweep", *sweep) == 1

    output, errors = capfd.readouterr()
    assert [(folder / "test.json").exists() for folder in folders] == [True, False, True]
    assert f"{folders[1]} failed: its exit status is 2.\n" in errors
    header, *rows = output.splitlines()[-4:]
    assert header.split() == [RATE, "validation", "rmse", "runs"]
    assert {row.split()[0] for row in rows[:2]} == {"0.001", "0.003"}
    assert rows[2].split() == ["1e+30", "failed", "1,", "1", "failed"]

    # What is done stays as it is; what failed is tried again.
    written = [(folder / "best.pt").stat().st_mtime_ns for folder in (folders[0], folders[2])]
    assert call("tabular.sweep", *sweep) == 1
    assert capfd.readouterr().out.splitlines()[-4:] == [header, *rows]
    again = [(folder / "best.pt").stat().st_mtime_ns for folder in (folders[0], folders[2])]
    assert again == written

    assert call("tabular.sweep", tmp_path) == 0
    assert capfd.readouterr().out.splitlines() == [
        header,
        *rows[:2],
        f"Not finished, so not in the table: {folders[1].name}",
    ]


def test_seeds_share_a_row_with_those_that_failed(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "seed=1" / "checkpoints").mkdir(parents=True)

    assert call("tabular.sweep", tmp_path, "--seeds", 3, "--", *small("tabular", epochs=1)) == 1

    output, errors = capfd.readouterr()
    assert f"{tmp_path / 'seed=1'} failed" in errors
    header, row = output.splitlines()[-2:]
    assert header.split() == ["validation", "rmse", "runs"]
    assert "±" in row
    assert row.endswith("  3, 1 failed")


def test_what_is_true_or_false_can_be_varied(tmp_path: Path) -> None:
    flags = ["--grid", "activation_checkpointing=false", "--grid", "data.noise.numpy=true,false"]

    assert call("fourth.sweep", tmp_path, *flags, "--", *small("fourth", epochs=1)) == 0

    for value in (True, False):
        name = f"activation_checkpointing=false,data.noise.numpy={str(value).lower()}"
        assert load("fourth", tmp_path / name / "best.pt").config.data.noise.numpy is value


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (
            ["--grid", "seed=1,2", "--seeds", "2"],
            "seed is given twice: put all values into one --grid, without --seeds.",
        ),
        (
            ["--grid", "batch_size=1,2", "--grid", "batch-size=3"],
            "batch_size is given twice: put all values into one --grid.",
        ),
        (["--grid", "compile=true,maybe"], "compile must be true or false; it is 'maybe'."),
        (["--grid", "batch_size"], "--grid takes SETTING=VALUE,VALUE; it is 'batch_size'."),
        (["--grid", "output_dir=a,b"], "--grid cannot vary output_dir: a sweep sets it for each"),
        (["--grid", "epochs=1,0"], "epochs must be at least 1; it is 0."),
        (["--seeds", "-1"], "--seeds must be at least 0; it is -1."),
        (["--seeds", "2", "--", "--output-dir", "x"], "Leave out output_dir after --: the sweep"),
        (["--seeds", "2", "--", "--output_dir=x"], "Leave out output_dir after --: the sweep"),
        (["--seeds", "2", "--", "--resume", "x"], "Leave out resume after --: the sweep sets"),
        (["--seeds", "2", "--", "--seed", "3"], "Leave out seed after --: the sweep sets it"),
        (["--grid", "compile=true", "--", "--no-compile"], "Leave out compile after --: the"),
        ([], "runs holds no finished runs: name settings to try, with --seeds or --grid."),
    ],
)
def test_wrong_input_gets_one_sentence_before_the_first_run(
    arguments: list[str],
    complaint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)

    assert call("digits.sweep", "runs", *arguments) == 2

    output, errors = capfd.readouterr()
    assert output == ""
    assert errors.startswith(f"error: {complaint}")
    assert errors.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
