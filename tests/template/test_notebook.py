"""The notebook: committed without outputs, and right from top to bottom."""

import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "notebooks" / "quickstart.ipynb"


def cells(kind: str) -> list[dict[str, Any]]:
    """Return the cells of a kind, ``code`` or ``markdown``."""
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


def test_no_output_is_committed() -> None:
    for cell in cells("code"):
        assert cell["outputs"] == [], f"clear the outputs of cell {cell['id']} before you commit"
        assert cell["execution_count"] is None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # What Jupyter warns about itself is not this project's.
def test_every_cell_runs() -> None:
    nbformat = pytest.importorskip("nbformat", reason="install the extra `notebook`")
    nbclient = pytest.importorskip("nbclient", reason="install the extra `notebook`")
    pytest.importorskip("ipykernel", reason="install the extra `notebook`")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)

    client = nbclient.NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(ROOT)}},
    )
    client.execute()

    outputs = {cell["id"]: cell.get("outputs", []) for cell in notebook.cells}
    printed = "".join(each.get("text", "") for each in outputs["plot"])
    assert float(printed.partition("accuracy ")[2].partition("%")[0]) > 90
    for name in ("data", "plot"):
        assert any("image/png" in each.get("data", {}) for each in outputs[name]), name
