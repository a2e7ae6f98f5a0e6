"""How many findings of the checker in published packages are breaches: the verdicts of people.

`precision/verdicts.csv` holds what was read by hand: a finding is true where its line does what the
contract's rule says. The packages of `WHOLE` were read finding by finding, of the others a sample.
A verdict belongs to a finding by the package's version, the file, the rule, the name that the
finding is about and the text of its line, so that it survives changes of the checker. One without a
name is of a finding that was gone when names came in.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from nnscaffold.check import Settings, check_paths
from nnscaffold.contract import RULES

HERE = Path(__file__).resolve().parent / "precision"
WHOLE = ("timm", "torchvision", "kornia", "segmentation_models_pytorch")
# What pip calls a package that is imported under another name.
DISTRIBUTIONS = {"open_clip": "open_clip_torch"}
# Of a package with hundreds of architectures, as many of them, drawn with this seed.
ARCHITECTURES = {"transformers": ("models", 40)}
SEED = 0


class Key(NamedTuple):
    """What tells a finding from others, but for a twin on another line of the same text."""

    package: str
    version: str
    file: str
    code: str
    name: str
    text: str


@dataclass(frozen=True)
class Verdict:
    """What somebody who read a finding said of it.

    Attributes:
        key: The finding.
        is_true: Whether it is a breach.
        why: The reason, in a few words.
    """

    key: Key
    is_true: bool
    why: str


def read_verdicts() -> dict[Key, Verdict]:
    """All verdicts, by the finding that they are about."""
    with (HERE / "verdicts.csv").open(encoding="utf-8", newline="") as file:
        verdicts = [
            Verdict(
                Key(*(row[field] for field in Key._fields)), row["verdict"] == "true", row["why"]
            )
            for row in csv.DictReader(file)
        ]
    return {verdict.key: verdict for verdict in verdicts}


def verdict_of(key: Key, verdicts: dict[Key, Verdict]) -> Verdict | None:
    """The verdict on a finding, by its name or from before names came in."""
    return verdicts.get(key) or verdicts.get(key._replace(name=""))


def download(package: str, version: str, folder: Path) -> None:
    """Unpack a package into a folder, without what it depends on."""
    name = DISTRIBUTIONS.get(package, package)
    with tempfile.TemporaryDirectory() as wheels:
        pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", wheels)
        subprocess.run((*pip, "--only-binary", ":all:", f"{name}=={version}"), check=True)
        for wheel in Path(wheels).glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                names = [one for one in archive.namelist() if one.startswith(f"{package}/")]
                archive.extractall(folder, names)


def draw_architectures(package: str, root: Path) -> None:
    """Leave only a sample of a package's architectures, the same one each time."""
    if package in ARCHITECTURES:
        name, count = ARCHITECTURES[package]
        folders = sorted(
            one.name
            for one in (root / name).iterdir()
            if one.is_dir() and not one.name.startswith("__")
        )
        drawn = random.Random(SEED).sample(folders, min(count, len(folders)))
        for folder in sorted({*folders} - {*drawn}):
            shutil.rmtree(root / name / folder)


def check(package: str, version: str, root: Path) -> list[Key]:
    """The findings in a package, by the rules that are on by default."""
    report = check_paths([root], Settings(root=root.parent))
    for note in report.notes:
        print(f"skipped: {note.path}: {note.message}", file=sys.stderr)
    return [
        Key(
            package,
            version,
            Path(one.path).resolve().relative_to(root.resolve()).as_posix(),
            one.rule.code,
            one.name,
            report.lines[one.path, one.span.line].strip(),
        )
        for one in report.findings
    ]


def show(found: list[Key], verdicts: dict[Key, Verdict]) -> None:
    """Print the findings without a verdict, and the precision of each rule."""
    read = [(key, verdict_of(key, verdicts)) for key in found]
    for key, verdict in read:
        if verdict is None and key.package in WHOLE:
            print(f"no verdict: {key.package}/{key.file}: {key.code} {key.name}: {key.text}")
    judged = [verdict for _, verdict in read if verdict]
    true = Counter(verdict.key.code for verdict in judged if verdict.is_true)
    total = Counter(verdict.key.code for verdict in judged)
    unjudged = Counter(key.code for key, verdict in read if verdict is None)
    present = {verdict.key for verdict in judged}
    missing = [one for one in verdicts.values() if one.key not in present]
    lost = Counter(one.key.code for one in missing if one.is_true)
    cleared = Counter(one.key.code for one in missing if not one.is_true)
    print(
        f"\n{'rule':<30}{'severity':<10}{'true':>12}{'':>8}{'unread':>8}{'cleared':>8}{'lost':>6}"
    )
    for code in sorted({*total, *lost, *cleared}):
        print(
            f"{code + ' ' + RULES[code].name:<30}{RULES[code].severity:<10}"
            f"{_ratio(true[code], total[code])}{unjudged[code]:>8}{cleared[code]:>8}{lost[code]:>6}"
        )
    print(f"{'all':<40}{_ratio(true.total(), total.total())}")
    whole = [verdict.is_true for verdict in judged if verdict.key.package in WHOLE]
    print(f"{'the packages read as a whole':<40}{_ratio(sum(whole), len(whole))}")


def _ratio(part: int, whole: int) -> str:
    share = f"{part / whole:>7.0%}" if whole else " " * 7
    return f"{part:>7}/{whole:<4}{share} "


def main() -> None:
    """Check the packages, which are downloaded unless a folder of them is given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="unpacked packages, side by side")
    given: Path | None = parser.parse_args().folder
    packages: dict[str, str] = json.loads((HERE / "packages.json").read_text(encoding="utf-8"))
    found: list[Key] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = given or Path(temporary)
        for package, version in packages.items():
            if given is None:
                download(package, version, folder)
                draw_architectures(package, folder / package)
            root = folder / package
            if root.is_dir():
                # `site-packages/timm`, or `timm/timm` where each wheel has a folder of its own.
                inner = root / package
                found += check(
                    package, version, inner if (inner / "__init__.py").is_file() else root
                )
            else:
                print(f"not there: {root}", file=sys.stderr)
    show(found, read_verdicts())


if __name__ == "__main__":
    main()
