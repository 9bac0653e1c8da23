"""The notebook, run from top to bottom in Jupyter's own kernel on drawn pictures."""

import os
import sys
from pathlib import Path

import pytest

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
NOTEBOOK = Path(__file__).parents[3] / "notebooks/cats-and-dogs.ipynb"


def executed(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"])
    monkeypatch.setenv("PELAGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PELAGE_DATA", raising=False)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(notebook, timeout=900, kernel_name="python3", resources={}).execute(cwd=tmp_path)
    return notebook


def test_the_notebook_runs_and_shows_what_it_says(tmp_path, monkeypatch):
    if not NOTEBOOK.exists():
        pytest.skip("the notebook is not beside the package")
    notebook = executed(tmp_path, monkeypatch)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    assert {"text/html", "image/png", "text/plain"} <= kinds
    pages = "".join(output["data"]["text/html"] for output in outputs if "text/html" in output.get("data", {}))
    # The run with its curves, the epochs as a table, the prediction with its bars.
    assert "image/svg+xml" in pages and "validation_accuracy" in pages and "<td" in pages
    assert not any(output.output_type == "error" for output in outputs)
    if os.environ.get("PELAGE_WRITE_NOTEBOOK"):
        nbformat.write(notebook, NOTEBOOK)
