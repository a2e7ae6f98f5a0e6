"""`pytest --nn-contract=package.module:Class`, as a stranger types it in a folder without tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

LAYERS = '''
import torch
from torch import Tensor, nn


class Rows(nn.Module):
    """Maps rows.

    Example::

        >>> Rows(4)(torch.randn(3, 4)).shape
        torch.Size([3, 4])
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)


class Listed(Rows):
    """Keeps a layer in a list.

    Example::

        >>> Listed(4)(torch.randn(3, 4)).shape
        torch.Size([3, 4])
    """

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.more = [nn.Linear(width, width)]


class _Private(nn.Module):
    pass


class Secret(nn.Module):
    def __init__(self, key: str) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        return x


NUMBER = 3
'''
LINE_OF_LIST = LAYERS.splitlines().index("        self.more = [nn.Linear(width, width)]") + 1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with modules and no tests."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "layers.py").write_text(LAYERS)
    return folder


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an installation adds: the entry point as pyproject.toml has it."""
    site = tmp_path_factory.mktemp("site")
    info = site / "nnscaffold-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: nnscaffold\nVersion: 0\n")
    text = (ROOT / "pyproject.toml").read_text()
    (entry,) = re.findall(r'(?m)^\[project.entry-points.pytest11\]\n(\w+) = "(.+)"$', text)
    (info / "entry_points.txt").write_text(f"[pytest11]\n{entry[0]} = {entry[1]}\n")
    return site


class Run:
    """What pytest printed and how it ended."""

    def __init__(self, folder: Path, *arguments: str, path: str) -> None:
        # The command, not `python -m pytest`, which puts the folder on sys.path itself.
        main = "import sys, pytest; sys.path[:] = sys.path[1:]; sys.exit(pytest.main())"
        result = subprocess.run(
            [sys.executable, "-c", main, "-p", "no:cacheprovider", "--color=no", *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path, "COLUMNS": "400"},
            capture_output=True,
            text=True,
            check=False,
        )
        self.code, self.text = result.returncode, result.stdout + result.stderr

    def __contains__(self, part: str) -> bool:
        return part in self.text

    def counts(self) -> dict[str, int]:
        last = self.text.strip().splitlines()[-1]
        return {name: int(number) for number, name in re.findall(r"(\d+) (\w+)", last)}


class Pytest:
    """Runs pytest where nnscaffold is installed."""

    def __init__(self, folder: Path, site: Path) -> None:
        self.folder, self.path = folder, f"{site}{os.pathsep}{ROOT}"

    def __call__(self, *arguments: str, path: str = "") -> Run:
        return Run(self.folder, *arguments, path=f"{path}{os.pathsep}{self.path}")


@pytest.fixture
def run(folder: Path, installed: Path) -> Pytest:
    return Pytest(folder, installed)


def test_each_check_is_a_test(run: Pytest) -> None:
    done = run("--nn-contract=layers:Rows", "-v", "-m", "not slow", "--strict-markers")
    assert done.code == 0, done.text
    assert "layers:Rows::test_registry PASSED" in done
    assert done.counts()["passed"] > 35
    assert done.counts()["deselected"] == 5
    assert f"collected {sum(done.counts().values())} items" in done


def test_a_failure_is_the_finding_alone(run: Pytest) -> None:
    done = run("--nn-contract=layers:Listed", "-m", "not slow", "-W", "error")
    assert done.code == 1
    finding = (
        f"NN103 module-in-container: layers.py:{LINE_OF_LIST}: more[0]: Linear outside the "
        "registry: it is not moved, trained or saved. "
        "Keep modules in `nn.ModuleList` or `nn.ModuleDict`."
    )
    assert re.search(rf"_ layers:Listed::test_registry _+\n{re.escape(finding)}\n=", done.text)
    assert "Traceback" not in done
    assert done.counts()["failed"] == 1


def test_a_module_means_all_public_ones_that_it_defines(run: Pytest) -> None:
    done = run("--nn-contract=layers", "-k", "construction or test_contract", "-v", "-rs")
    assert done.code == 0, done.text
    assert re.findall(r"^(\S+) (?:PASSED|SKIPPED)", done.text, re.MULTILINE) == [
        "layers:Rows::test_construction",
        "layers:Listed::test_construction",
        "layers:Secret::test_contract",
    ]
    assert "layers:Secret: nothing gives the constructor's `key`; " in done
    assert 'set kwargs = {...} under [tool.nnscaffold.contract."layers:Secret"]' in done


def test_the_option_is_repeatable_and_no_test_runs_twice(run: Pytest) -> None:
    asked = [f"--nn-contract=layers{name}" for name in (":Rows", ":Listed", ":Rows")]
    done = run(*asked, "-k", "construction", "--collect-only", "-q")
    assert done.code == 0
    assert done.text.splitlines()[:2] == [
        "layers:Rows::test_construction",
        "layers:Listed::test_construction",
    ]


def test_other_tests_run_only_where_they_are_named(run: Pytest, folder: Path) -> None:
    (folder / "test_own.py").write_text("def test_own():\n    pass\n")
    assert "own" not in run("--nn-contract=layers:Rows", "--collect-only", "-q").text
    options = ("--nn-contract=layers:Rows", "-k", "construction or own")
    assert run(*options, "test_own.py").counts()["passed"] == 2


def test_processes_share_the_tests(run: Pytest) -> None:
    done = run("--nn-contract=layers", "-n", "2", "-k", "registry or repetition")
    assert done.code == 1, done.text
    assert done.counts() == {"failed": 1, "passed": 2, "skipped": 1}
    assert "NN103 module-in-container: layers.py:" in done
    done = run("--nn-contract=layers:Row", "-n", "2")
    assert (done.code, done.text.strip()) == (4, "ERROR: layers has no Row; did you mean Rows?")


def test_without_the_plugin_there_is_no_option(run: Pytest) -> None:
    done = run("-p", "no:nnscaffold", "--nn-contract=layers:Rows")
    assert done.code == 4
    assert "unrecognized arguments: --nn-contract=layers:Rows" in done
    assert run("-p", "no:nnscaffold").code == 5


def test_pytest_starts_without_torch(folder: Path, run: Pytest) -> None:
    (folder / "test_own.py").write_text(
        "import sys\n\n\ndef test_own():\n    assert 'torch' not in sys.modules\n"
        "    assert 'nnscaffold.pytest_plugin' in sys.modules\n"
        "    assert 'nnscaffold.contract' not in sys.modules\n"
    )
    done = run()
    assert done.counts() == {"passed": 1}, done.text


def test_the_slow_mark_of_the_project_is_kept(folder: Path, run: Pytest) -> None:
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = slow: takes an hour\n")
    marks = [line for line in run("--markers").text.splitlines() if ".slow" in line]
    assert marks == ["@pytest.mark.slow: takes an hour"]


CONFIGURED = """
[tool.nnscaffold.contract."layers:Secret"]
kwargs = {key = "of no use"}
inputs = ["[batch, 4]"]
opt-out = {registry = "to see it left out"}
"""


def test_pyproject_states_what_cannot_be_found_out(folder: Path, run: Pytest) -> None:
    (folder / "pyproject.toml").write_text(CONFIGURED)
    done = run("--nn-contract=layers:Secret", "-m", "not slow", "-rs")
    assert done.code == 0, done.text
    assert "Secret opts out of registry: to see it left out" in done


def test_a_class_states_opt_outs_too(folder: Path, run: Pytest) -> None:
    code = LAYERS.replace(
        "    def __init__(self, width: int) -> None:\n        super().__init__(width)",
        "    contract_opt_out = {'registry': 'a list on purpose'}\n\n"
        "    def __init__(self, width: int) -> None:\n        super().__init__(width)",
    )
    (folder / "layers.py").write_text(code)
    done = run("--nn-contract=layers:Listed", "-k", "registry", "-rs")
    assert done.code == 0
    assert "Listed opts out of registry: a list on purpose" in done


def test_a_wrong_name_is_one_sentence(run: Pytest) -> None:
    refused(run("--nn-contract=layers:Row"), "layers has no Row; did you mean Rows?")
    refused(run("--nn-contract=layer:Rows"), "there is no module layer in the current folder or ")
    assert "; did you mean layers?" in run("--nn-contract=layer:Rows")


def refused(done: Run, says: str) -> None:
    assert done.code == 4, done.text
    (line,) = done.text.strip().splitlines()
    assert line.startswith(f"ERROR: {says}")


def test_missing_torch_is_one_sentence(tmp_path: Path, run: Pytest) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('there is no torch')\n")
    done = run("--nn-contract=layers:Rows", path=str(tmp_path))
    refused(done, "--nn-contract needs torch, which cannot be imported: there is no torch")


def test_a_wrong_statement_is_one_sentence(folder: Path, run: Pytest) -> None:
    (folder / "pyproject.toml").write_text(f"{CONFIGURED}torchscripts = true\n")
    where = '[tool.nnscaffold.contract."layers:Secret"]'
    refused(
        run("--nn-contract=layers:Secret"),
        f"{where} has no key 'torchscripts'; did you mean 'torchscript'?",
    )


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (
            ":Secret",
            ":Secrets",
            '{table}layers:Secrets"]: layers has no Secrets; did you mean Secr',
        ),
        (":Secret", ":Nope", '{table}layers:Nope"]: layers has no Nope; it defines Rows, '),
        (":Secret", ":NUMBER", '{table}layers:NUMBER"]: layers:NUMBER is not a subclass of torch'),
        (":Secret", ".deep:Secret", '{table}layers.deep:Secret"]: there is no module layers.deep'),
        ("layers:", "layer:", '{table}layer:Secret"]: there is no module layer in the current fol'),
        (
            "layers:",
            "src/layers:",
            "{table}src/layers:Secret\"]: 'src/layers:Secret' is not of the",
        ),
        ("registry", "registery", "layers:Secret: opt-out registery: there is no check of that na"),
        ("registry", "NN103", "layers:Secret: opt-out NN103: is a rule, not a check. Name the che"),
        (".contract.", ".contracts.", "pyproject.toml: nothing reads [tool.nnscaffold.contracts];"),
    ],
)
def test_a_table_that_fits_nothing_is_one_sentence(
    before: str, after: str, says: str, folder: Path, run: Pytest
) -> None:
    (folder / "pyproject.toml").write_text(CONFIGURED.replace(before, after))
    (folder / "layers.py").write_text(LAYERS.replace("key: str", "key: str = ''"))
    done = run("--nn-contract=layers:Secret", "--collect-only")
    refused(done, says.replace("{table}", '[tool.nnscaffold.contract."'))


def test_tables_of_modules_that_are_not_asked_for_import_nothing(folder: Path, run: Pytest) -> None:
    (folder / "others.py").write_text("raise RuntimeError\n")
    (folder / "pyproject.toml").write_text(CONFIGURED.replace("layers:Secret", "others:Secret"))
    assert run("--nn-contract=layers:Rows", "--collect-only").code == 0


def test_a_table_is_found_by_another_name_of_the_class(folder: Path, run: Pytest) -> None:
    (folder / "names.py").write_text("from layers import Secret\n")
    (folder / "pyproject.toml").write_text(CONFIGURED)
    done = run("--nn-contract=names:Secret", "-k", "registry", "-rs")
    assert "Secret opts out of registry: to see it left out" in done


def test_a_case_of_one_s_own_is_a_few_lines(folder: Path, run: Pytest) -> None:
    (folder / "test_own.py").write_text(
        textwrap.dedent("""
            import torch
            from layers import Listed, Rows
            from nnscaffold.contract import contract_case


            @contract_case(lambda batch: torch.randn(batch, 4), output_shape=("batch", 4))
            def rows():
                return Rows(4)


            @contract_case(torch.randn(3, 4), opt_out={"vmap": "never used so"})
            def listed():
                return Listed(4)
        """)
    )
    (folder / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    done = run("-m", "not slow", "-v", "-rs", "-W", "error")
    assert done.code == 1, done.text
    assert "test_own.py::rows::test_output_dtype PASSED" in done
    assert re.search(
        r"^E .*: NN103 module-in-container: layers.py:\d+: more\[0\]: ", done.text, re.M
    )
    assert done.counts()["failed"] == 1
    assert "listed opts out of vmap: never used so" in done
