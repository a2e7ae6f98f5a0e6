"""The document of the module contract tells the truth: its examples run, its table is complete."""

import pytest
import torch

from tests.contract_document import Example, anchor, namespace, read_document, run

DOCUMENT = read_document()


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("example", DOCUMENT.examples, ids=lambda example: example.label)
def test_example_runs(example: Example) -> None:
    with namespace(example, DOCUMENT) as module:
        run(example, module)
