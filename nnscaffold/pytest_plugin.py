"""The pytest plugin: `pytest --nn-contract=package.module:Class` needs no test file.

It is loaded whenever pytest starts, so it imports nothing before the option is given.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pytest

OPTION = "--nn-contract"
_COLLECTORS = pytest.StashKey[Sequence[pytest.Collector]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.getgroup("nnscaffold").addoption(
        OPTION,
        action="append",
        default=[],
        metavar="MODULE[:CLASS]",
        help="hold a torch.nn.Module to the module contract, a test for each check; for "
        "package.module, all public ones that it defines (repeatable)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark of slow checks, and collect no other tests unless they are named."""
    if not any(line.partition(":")[0].strip() == "slow" for line in config.getini("markers")):
        config.addinivalue_line("markers", "slow: takes seconds rather than milliseconds")
    named = config.args_source is pytest.Config.ArgsSource.ARGS
    if config.getoption(OPTION) and not named:
        config.args = []


# Before xdist starts its workers, which would all say the same.
@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Find the modules, or refuse to start in one sentence."""
    if not (names := session.config.getoption(OPTION)):
        return
    folder = str(session.config.invocation_params.dir)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise pytest.UsageError(
            f"{OPTION} needs torch, which cannot be imported: {error}"
        ) from None
    from .contract_items import collectors

    session.config.stash[_COLLECTORS] = collectors(session, names)


# Before `-k` and `-m` choose among all tests.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add the tests of the modules that were asked for."""
    for collector in config.stash.get(_COLLECTORS, []):
        items.extend(session.genitems(collector))
