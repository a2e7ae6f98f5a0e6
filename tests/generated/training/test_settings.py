"""Settings of every form: by the command line, a TOML file and a checkpoint they are the same."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fourth.checkpoints import state as fourth_state
from fourth.command import InputError
from fourth.task import settings as fourth
from fourth.train import parse
from fourth.training import settings as fourth_settings

from .running import run

if TYPE_CHECKING:
    from collections.abc import Callable

ARGUMENTS = [
    "--epochs=3",
    "--output-dir=else where",
    "--init-from=some/best.pt",
    "--compile",
    *("--data.sizes", "48", "5", "3"),
    "--data.folder=days",
    "--data.noise.scale=0.5",
    "--data.noise.no-numpy",
    *("--model.widths", "3", "4", "5"),
    *("--model.dropouts", "0", "0.5", "1e-3"),
    "--model.activation=tanh",
    "--model.embedding=2",
    "--model.heads.sales=0.5",
    "--model.heads.sold-out=-1",
    *("--optimizer.options", "eps", "1e-6", "amsgrad", "True"),
]
TOML = """
epochs = 3
output_dir = "else where"
init_from = "some/best.pt"
compile = true
data.sizes = [48, 5, 3]
data.folder = "days"
data.noise = {scale = 0.5, numpy = false}
[model]
widths = [3, 4, 5]
dropouts = [0, 0.5, 1e-3]
activation = "tanh"
embedding = 2
heads = {sales = 0.5, sold_out = -1}
[optimizer.options]
eps = 1e-6
amsgrad = true
"""


def test_all_ways_lead_to_the_same_settings(tmp_path: Path) -> None:
    file, checkpoint = tmp_path / "own.toml", tmp_path / "best.pt"
    file.write_text(TOML, encoding="utf-8")

    config = parse(ARGUMENTS).settings
    weights = fourth_state.Weights(config, epoch=1, metrics={"error": 0.5}, model={})
    fourth_state.save_state(weights, checkpoint)

    assert config.model == fourth.ModelConfig(
        widths=(3, 4, 5),
        dropouts=[0.0, 0.5, 1e-3],
        activation="tanh",
        embedding=2,
        heads={"sales": 0.5, "sold_out": -1.0},
    )
    assert (config.data.sizes, config.data.folder) == ((48, 5, 3), Path("days"))
    assert config.optimizer.options == {"eps": 1e-6, "amsgrad": True}
    assert fourth_settings.read_config(file) == config
    back = fourth_state.load_state(fourth_state.Weights, checkpoint).config
    assert back == config
    assert type(back.model.widths) is tuple
    assert type(back.model.dropouts[0]) is float
    # What neither names keeps the task's default, not that of the class.
    assert (config.batch_size, config.workers) == (24, 1)


def test_none_comes_back_as_none() -> None:
    config = parse(["--model.embedding=None", "--init-from=None"]).settings

    values = fourth_settings.config_to_values(config)

    assert (config.model.embedding, config.init_from) == (None, None)
    assert fourth_settings.config_from_values(values, source="test") == config


def test_an_option_may_be_a_pair_of_numbers(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text("[optimizer.options]\nbetas = [0.8, 0.9]\nfoo = 3\n", encoding="utf-8")

    config = parse(["--optimizer.options", "betas", "0.8", "0.9", "foo", "3"]).settings

    assert config.optimizer.options == {"betas": (0.8, 0.9), "foo": 3}
    assert type(config.optimizer.options["foo"]) is int
    assert fourth_settings.read_config(file).optimizer == config.optimizer


def test_the_command_line_overrides_the_file(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text("epochs = 7\nbatch_size = 8\n[model]\nwidths = [3, 3]\n", encoding="utf-8")

    config = parse(["--config", str(file), "--batch-size=16"]).settings

    assert (config.epochs, config.batch_size, config.model.widths) == (7, 16, (3, 3))
    assert config.optimizer.learning_rate == 0.01


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("epoch = 3", "there is no setting epoch; there are epochs, batch_size"),
        ("[data]\nbatch = 3", "there is no setting data.batch; there are data.sizes, data.folder"),
        ("[data.noise]\nx = 3", "there is no setting data.noise.x; there are data.noise.scale"),
        ("output_dir = ''", "output_dir must be a folder of the run's own; it is empty"),
        ("output_dir = 3", "output_dir must be a path; it is 3"),
        pytest.param(
            f"[optimizer]\nlearning_rate = 1{'0' * 400}",
            "optimizer.learning_rate is too large",
            id="a number too large for a float",
        ),
        ("epochs = 2.5", "epochs must be an integer; it is 2.5"),
        ("epochs = true", "epochs must be an integer; it is True"),
        ("epochs = 0", "epochs must be at least 1; it is 0"),
        ("batch_size = 0", "batch_size must be at least 1; it is 0"),
        ("keep_best = 0", "keep_best must be at least 1; it is 0"),
        ("workers = -1", "workers must be at least 0; it is -1"),
        ("patience = -1", "patience must be at least 0; it is -1"),
        ("seed = -1", "seed must be between 0 and 4294967295; it is -1"),
        ("data = 3", "data must be a table of settings; it is 3"),
        ("data.sizes = [1, 2]", "data.sizes must have 3 items; it is [1, 2]"),
        ("data.sizes = [1, 2, 'x']", "data.sizes[2] must be an integer; it is 'x'"),
        ("data.sizes = 3", "data.sizes must be a list; it is 3"),
        ("data.folder = 3", "data.folder must be a path; it is 3"),
        ("[model]\nwidths = [1.5]", "model.widths[0] must be an integer; it is 1.5"),
        ("[model]\nheads = {sales = 'x'}", "model.heads.sales must be a number; it is 'x'"),
        ("[model]\nheads = [1]", "model.heads must be a table; it is [1]"),
        ("[model]\nactivation = 'relu'", "model.activation must be gelu or tanh; it is 'relu'"),
        ("[optimizer]\nlearning_rate = 'high'", "learning_rate must be a number; it is 'high'"),
        ("[optimizer]\nlearning_rate = nan", "learning_rate must be a number above 0; it is nan"),
        (
            "[optimizer]\nwarmup_ratio = 2",
            "optimizer.warmup_ratio must be between 0 and 1; it is 2",
        ),
        ("compile = 1", "compile must be true or false; it is 1"),
        ("precision = 'fp8'", "precision must be fp32 or bf16 or fp16; it is 'fp8'"),
        ("epochs = ", "is not a TOML file"),
        ("accumulation = 2\ngrad_accum_steps = 2", "accumulation is the old name of grad_accum_"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(fourth_settings.InputError) as caught:
        fourth_settings.read_config(path)

    assert complaint in str(caught.value)
    assert str(path) in str(caught.value) or "must be" in complaint


@pytest.fixture
def changed(
    tmp_path: Path,
    repositories: Path,
) -> Callable[..., tuple[int, str, str]]:
    """Change a file of the fourth package's copy, and run its training's command there."""

    def train(file: str, before: str, after: str, *arguments: str) -> tuple[int, str, str]:
        copy = tmp_path / "src"
        shutil.copytree(repositories / "fourth" / "src", copy)
        path = copy / "fourth" / file
        text = path.read_text(encoding="utf-8")
        assert before in text
        path.write_text(text.replace(before, after), encoding="utf-8")
        words = [sys.executable, "-m", "fourth.train", *arguments]
        return run([*words, "--output-dir", str(tmp_path / "run")], PYTHONPATH=str(copy))

    return train


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        (
            "embedding: int | None = 4",
            "embedding: frozenset[int] = frozenset({4})",
            "task/settings.py: model.embedding has the type frozenset[int], which settings cannot",
        ),
        (
            "folder: Path | None = None",
            "folder: complex = 1j",
            "task/settings.py: data.folder has the type <class 'complex'>, which settings cannot",
        ),
        (
            "widths: tuple[int, ...] = (8, 6)",
            "widths: tuple = (8, 6)",
            "task/settings.py: model.widths does not say what is in it: write tuple[...].",
        ),
        (
            "heads: dict[str, float] = dataclasses.field(\n"
            '        default_factory=lambda: {"sales": 1.0, "sold_out": 0.5}\n    )',
            "heads: dict[int, float] = dataclasses.field(default_factory=lambda: {1: 1.0})",
            "task/settings.py: model.heads must be an integer; it is '1'.",
        ),
        (
            "embedding: int | None = 4",
            "embedding: int = dataclasses.field(kw_only=True)",
            "missing 1 required keyword-only argument: 'embedding'",
        ),
        (
            'DEFAULTS = {"epochs": 4',
            'DEFAULTS = {"epoch": 4',
            "task/settings.py: there is no setting epoch; there are epochs",
        ),
    ],
)
def test_what_cannot_come_back_is_refused_at_once(
    before: str,
    after: str,
    complaint: str,
    tmp_path: Path,
    changed: Callable[..., tuple[int, str, str]],
) -> None:
    status, _, errors = changed("task/settings.py", before, after, "--check")

    assert complaint in errors
    assert (status, errors.count("\n")) == (2, 1)
    assert not (tmp_path / "run").exists()


def test_without_shards_the_old_name_of_the_only_strategy_loads(
    tmp_path: Path,
    changed: Callable[..., tuple[int, str, str]],
) -> None:
    field = '    strategy: Literal["ddp", "fsdp"] = "ddp"\n'
    file = tmp_path / "old.toml"
    file.write_text('strategy = "ddp"\n', encoding="utf-8")

    status, output, errors = changed("training/config.py", field, "", "--check", f"--config={file}")

    assert (status, output, errors) == (0, "The arguments are valid.\n", "")


def test_a_run_still_loads_whose_repository_has_lost_a_part_that_it_did_not_use() -> None:
    recorded = {"epochs": 3, "patience": 0, "gone": False, "without": None, "tracker": "none"}

    config = fourth_settings.recorded_config(recorded, source="best.pt")

    assert (config.epochs, config.batch_size) == (3, 64)
    with pytest.raises(InputError, match=r"^best.pt: there is no setting gone; there are epochs, "):
        fourth_settings.recorded_config(recorded | {"gone": 2}, source="best.pt")
