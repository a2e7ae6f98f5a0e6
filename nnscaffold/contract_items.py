"""What pytest collects for a module that was named on its command line: a test for each check."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

# First: it imports the checks, which the suite makes tests of.
from .cases import CaseError, Settings, Target, by_class, derive_case, find_targets, read_settings
from .contract.case import Case
from .contract.core import in_order, wrong_opt_outs
from .contract.rules import ContractViolation
from .contract.suite import report

if TYPE_CHECKING:
    from .contract import Contract
    from .contract.core import Check


def collectors(session: pytest.Session, names: Sequence[str]) -> list[ContractCollector]:
    """Everything to collect for the names on the command line.

    Raises:
        pytest.UsageError: A name leads to no module, or nothing says how to build or call it.
    """
    try:
        settings = read_settings(session.config.rootpath / "pyproject.toml")
        found: dict[str, ContractCollector] = {}
        for name in names:
            for collector in collectors_of(session, name, settings):
                found.setdefault(collector.name, collector)
    except CaseError as error:
        said = str(error)
        raise pytest.UsageError(said if said.endswith(("?", ".")) else f"{said}.") from None
    return list(found.values())


def collectors_of(
    session: pytest.Session, name: str, settings: dict[str, Settings]
) -> Iterator[ContractCollector]:
    """One for the class of that name; or one for each class of a module.

    Of a module, those that nothing says enough about are reported as skipped, if others are not.
    """
    targets = find_targets(name)
    of_classes = by_class(settings)
    missing: dict[str, str] = {}
    cases: dict[str, Contract] = {}
    for target in targets:
        try:
            said = settings.get(target.name) or of_classes.get(target.kind)
            cases[target.name] = sound(target, derive_case(target, said))
        except CaseError as error:
            missing[target.name] = str(error)
    if missing and (name in missing or not cases):
        raise CaseError("; ".join(missing.values()))
    for target in targets:
        yield ContractCollector.from_parent(
            session,
            name=target.name,
            nodeid=target.name,
            target=target,
            contract=cases.get(target.name),
            missing=missing.get(target.name, ""),
        )


def sound(target: Target, contract: Contract) -> Contract:
    """The contract, if its opt-outs name checks and give reasons."""
    for wrong in wrong_opt_outs(contract.opt_out):
        raise CaseError(f"{target.name}: opt-out {wrong.message} {wrong.fix}".rstrip("."))
    return contract


class ContractCollector(pytest.Collector):
    """One module, whose tests are the checks."""

    def __init__(self, target: Target, contract: Contract | None, missing: str, **options: Any):
        super().__init__(**options)
        self.target, self.missing = target, missing
        self.case = Case(contract) if contract else None

    def collect(self) -> Iterator[pytest.Item]:
        """A test for each check; one that says what is missing where there is no case."""
        if self.case is None:
            yield Underived.from_parent(self, name="test_contract", reason=self.missing)
            return
        for check in in_order():
            if check.is_asked_of(self.case.contract):
                yield CheckItem.from_parent(self, name=f"test_{check.name}", check=check)


class ModuleItem(pytest.Item):
    """A test whose place is the module's class."""

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        """The class's file and line."""
        assert isinstance(self.parent, ContractCollector)
        kind = self.parent.target.kind
        try:
            file, line = inspect.getsourcefile(kind), inspect.getsourcelines(kind)[1] - 1
        except (OSError, TypeError):
            file, line = None, None
        return Path(file or self.parent.path), line, self.nodeid


class CheckItem(ModuleItem):
    """One check of one module."""

    def __init__(self, check: Check, **options: Any) -> None:
        super().__init__(**options)
        self.check = check
        if check.slow:
            self.add_marker(pytest.mark.slow)

    def runtest(self) -> None:
        """Run the check, or skip it for the reason that it gives."""
        assert isinstance(self.parent, ContractCollector)
        assert self.parent.case is not None
        report(self.parent.case, self.check, self.parent.target.kind.__name__)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *style: Any) -> Any:
        """The findings alone; they name the lines that matter."""
        if isinstance(excinfo.value, ContractViolation):
            return str(excinfo.value)
        if isinstance(excinfo.value, NotImplementedError):
            return f"forward is not written yet: {excinfo.value}".rstrip(": ")
        return super().repr_failure(excinfo, *style)


class Underived(ModuleItem):
    """In the place of a module's tests, why there are none."""

    def __init__(self, reason: str, **options: Any) -> None:
        super().__init__(**options)
        self.reason = reason

    def runtest(self) -> None:
        """Skip with that reason."""
        pytest.skip(self.reason)
