"""Settings: defaults, files, and what is refused."""

import tomllib
from pathlib import Path

import pytest

from digit_classifier.config import (
    DataConfig,
    ModelConfig,
    OptimizerConfig,
    TrainConfig,
)
from digit_classifier.config_file import (
    config_from_values,
    config_to_values,
    read_config,
)
from digit_classifier.errors import InputError

EXAMPLE = Path(__file__).parents[1] / "configs" / "digits.toml"


def test_the_example_file_has_every_setting_at_its_default() -> None:
    assert read_config(EXAMPLE) == TrainConfig()
    values = tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))
    assert values == config_to_values(TrainConfig())


def test_settings_survive_as_plain_values() -> None:
    config = TrainConfig(
        epochs=3,
        output=Path("elsewhere"),
        strategy="fsdp",
        compile=True,
        data=DataConfig(batch_size=7),
        model=ModelConfig(channels=4),
        optimizer=OptimizerConfig(learning_rate=0.5),
    )

    assert config_from_values(config_to_values(config), source="test") == config


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("epoch = 3", "there is no setting epoch; there are epochs, seed"),
        ("[data]\nbatch = 3", "there is no setting data.batch; there are data.batch_size"),
        ("output = ''", "output must be a folder of the run's own; it is empty"),
        pytest.param(
            f"[optimizer]\nlearning_rate = 1{'0' * 400}",
            "optimizer.learning_rate is too large",
            id="a number too large for a float",
        ),
        ("epochs = 2.5", "epochs must be a whole number; it is 2.5"),
        ("epochs = true", "epochs must be a whole number; it is True"),
        ("data = 3", "data must be a table of settings; it is 3"),
        ("output = 3", "output must be a text; it is 3"),
        ("[optimizer]\nlearning_rate = 'high'", "learning_rate must be a number; it is 'high'"),
        ("compile = 1", "compile must be true or false; it is 1"),
        ("precision = 'fp8'", "precision must be fp32 or bf16 or fp16; it is 'fp8'"),
        ("strategy = true", "strategy must be ddp or fsdp; it is True"),
        ("accumulation = 0", "accumulation must be at least 1; it is 0"),
        ("checkpoint_every = -1", "checkpoint_every must be at least 0; it is -1"),
        ("[optimizer]\nclip_norm = -1", "optimizer.clip_norm must be a number from 0 on; it is -1"),
        ("epochs = ", "is no TOML file"),
        ("epochs = 0", "epochs must be at least 1; it is 0"),
        ("[data]\nbatch_size = 0", "data.batch_size must be at least 1; it is 0"),
        ("[data]\ntest_share = 0.9", "data.test_share must be between 0.01 and 0.5; it is 0.9"),
        ("[data]\ntest_share = 0.5\nvalidation_share = 0.5", "make one of them smaller"),
        ("[model]\ndropout = 1.0", "model.dropout must be from 0 to below 1; it is 1.0"),
        ("[optimizer]\nlearning_rate = nan", "learning_rate must be a number above 0; it is nan"),
        ("[optimizer]\nweight_decay = -1", "weight_decay must be a number from 0 on; it is -1"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(InputError) as caught:
        read_config(path)

    assert complaint in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Cannot read .*: No such file"):
        read_config(tmp_path / "missing.toml")
