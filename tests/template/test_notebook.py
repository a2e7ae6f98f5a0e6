"""The notebook: committed without outputs, and right from top to bottom for every task."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Render


def notebook_of(repository: Path) -> Path:
    return repository / "notebooks" / "quickstart.ipynb"


def test_no_output_is_committed(render: Render) -> None:
    notebook = json.loads(notebook_of(render(notebook=True)).read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [], cell["id"]
            assert cell["execution_count"] is None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # What Jupyter warns about itself is not this project's.
@pytest.mark.parametrize("task", ["digits", "tabular", "sequence"])
def test_every_cell_runs(
    task: str,
    render: Render,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    repository = render(task=task, package=task, notebook=True)
    notebook = nbformat.read(notebook_of(repository), as_version=4)
    nbformat.validate(notebook)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", str(repository / "src"))

    client = nbclient.NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(repository)}},
    )
    client.execute()

    outputs: dict[str, list[dict[str, Any]]] = {
        cell["id"]: cell.get("outputs", []) for cell in notebook.cells
    }
    printed = "".join(each.get("text", "") for each in outputs["train"])
    first, last = (float(words.split()[-1]) for words in printed.split(" at ")[:2])
    assert last < first * 2 / 3, printed
    assert any("image/png" in each.get("data", {}) for each in outputs["plot"])
