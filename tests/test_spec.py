"""From what a user typed to an entry of the manifest."""

from __future__ import annotations

import json

import pytest

from scaffolder.errors import BadInput
from scaffolder.names import file_name
from scaffolder.spec import ModuleSpec, specify

EXISTING = [ModuleSpec("ConvBlock", "conv", "layer", "conv_block")]


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("X", "x"),
        ("GatedAttention", "gated_attention"),
        ("HTTPNet", "http_net"),
        ("Conv2dBlock", "conv2d_block"),
        ("ResNet50", "res_net50"),
        ("BERT", "bert"),
    ],
)
def test_a_class_lies_in_a_file_of_its_words(name: str, file: str) -> None:
    assert file_name(name) == file


@pytest.mark.parametrize("name", ["ConvBlock", "Convblock", "CONVBlock", "CONVBLOCK"])
def test_a_name_that_shares_letters_or_a_file_with_another_is_taken(name: str) -> None:
    with pytest.raises(BadInput) as refused:
        specify(name, "linear", "layer", EXISTING)
    assert refused.value.code == "name-taken"
    assert "ConvBlock" in refused.value.message


@pytest.mark.parametrize(
    ("typed", "proposed"),
    [("gated_attention", "GatedAttention"), ("my.layer", "Layer"), ("größe", "CapWords")],
)
def test_a_refused_name_comes_with_a_better_one(typed: str, proposed: str) -> None:
    with pytest.raises(BadInput) as refused:
        specify(typed, "linear", "layer", [])
    assert refused.value.code == "name-invalid"
    assert proposed in refused.value.hint


def test_an_entry_is_one_line_of_json_behind_a_dash() -> None:
    line = specify("Gate", "linear", "layer", EXISTING).to_line()
    assert line.count("\n") == 1
    assert json.loads(line.removeprefix("- ")) == {
        "name": "Gate",
        "kind": "linear",
        "role": "layer",
        "file": "gate",
    }
