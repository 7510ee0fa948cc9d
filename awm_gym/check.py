"""Checking scenarios: every gate on every scenario asked for, on all cores, with findings told by gate."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from awm_gym import imports, places, processes
from awm_gym.blueprints import store
from awm_gym.errors import ScenarioError, UsageError, printable, shown, unknown
from awm_gym.files import load, save
from awm_gym.gates import GATES, certify
from awm_gym.gates.certificate import Certificate
from awm_gym.library import CERTIFICATE, find, folders, own
from awm_gym.suites import suite, suite_names

_TOLD = 8  # findings of one gate that are told; --json has them all


@dataclass(frozen=True)
class Checked:
    """A scenario that was checked: its folder, and its certificate, or why it could not be loaded."""

    folder: str
    certificate: Certificate | None
    error: str = ""

    @property
    def passed(self) -> bool:
        """Whether it loaded and no gate found anything."""
        return self.certificate is not None and self.certificate.passed

    def document(self) -> dict[str, Any]:
        """What programs read."""
        if self.certificate is None:
            return {
                "scenario": Path(self.folder).name,
                "passed": False,
                "findings": {"load": [self.error]},
                "figures": {},
            }
        findings = {gate: list(found) for gate, found in self.certificate.findings.items() if found}
        return {
            "scenario": self.certificate.scenario,
            "passed": self.passed,
            "findings": findings,
            "figures": self.certificate.figures,
        }


def targets(names: Sequence[str]) -> list[Path]:
    """The scenario folders that names, ids, suites and paths mean; all of the library for none.

    A path may be a scenario's folder, or a folder of such folders.

    Raises:
        UsageError: there is nothing of that name, or no scenario in that folder.
    """
    if not names:
        return list(folders().values())
    found: list[Path] = []
    for name in names:
        if name in suite_names():
            found += [find(member) for member in suite(name).fingerprints]
            continue
        path = folders().get(name) or own(name) or (find(name) if _is_elsewhere(name) else Path(name))
        inside = _scenarios_in(path)
        if not inside:
            problem = "is neither a name of the library nor a folder that holds one"
            raise UsageError(f"{shown(name)} {problem}. {unknown('scenario', name, folders())}")
        found += inside
    return found


def _is_elsewhere(name: str) -> bool:
    """Whether a name means what is yet to be made, or is no scenario of ours, as `find` tells."""
    return store.parsed(name) is not None or imports.known(name)


def _scenarios_in(path: Path) -> list[Path]:
    try:
        if (path / "scenario.toml").exists():
            return [path]
        return sorted(entry.parent for entry in path.glob("*/scenario.toml"))
    except (OSError, ValueError):  # a NUL, or a name too long for the file system
        return []


def check(folder: str, *, fix: bool = False, resume: bool = False) -> Checked:
    """Run all gates on a scenario; with `fix` write the files in canonical form, and the certificate, if it passes.

    With `resume`, what an earlier run of the same gates found in the same scenario is believed.
    """
    try:
        scenario = load(folder)
    except ScenarioError as error:
        return Checked(folder, None, str(error))
    gates = places.code_digest("apsw")[:16]  # what other gates found is no use
    kept = _memory() / f"{scenario.fingerprint}-{gates}.json"
    if resume and kept.is_file():
        certificate = Certificate.from_json(kept.read_text("utf-8"))
    else:
        certificate = certify(scenario)
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(f".{os.getpid()}")
        part.write_text(certificate.to_json(), "utf-8")
        part.replace(kept)
    if fix and certificate.passed:
        save(scenario, folder)
        (Path(folder) / CERTIFICATE).write_text(certificate.to_json(), "utf-8")
    return Checked(folder, certificate)


def _memory() -> Path:
    """Where finished checks are kept."""
    return places.cache() / "checks"


def check_all(found: Sequence[Path], *, jobs: int, fix: bool, resume: bool) -> Iterator[Checked]:
    """Check scenarios on several cores; each comes as it is done."""
    yield from processes.each(partial(check, fix=fix, resume=resume), [str(folder) for folder in found], jobs)


def tell(console: Console, checked: Checked) -> None:
    """One line for a scenario, then its findings by gate, each gate with what it proves and the remedy."""
    if checked.certificate is None:
        console.print(Text(f"FAILED  {printable(checked.error)}", style="red"))
        return
    figures = checked.certificate.figures
    line = f"{checked.certificate.scenario}: {figures.get('tables', 0)} tables, {figures.get('rows', 0)} rows, "
    line += f"{figures.get('tools', 0)} tools, {len(figures.get('tasks', ()))} tasks; {mutation(checked.certificate)}"
    console.print(
        Text(f"{'passed' if checked.passed else 'FAILED'}  {line}", style="green" if checked.passed else "red")
    )
    for gate in GATES:
        found = checked.certificate.findings.get(gate.__name__, ())
        if not found:
            continue
        console.print(Text(f"\n  {gate.__name__}", style="bold"))
        for paragraph in (gate.__doc__ or "").strip().split("\n"):
            console.print(Text(f"  {paragraph.strip()}", style="dim"))
        for text in found[:_TOLD]:
            console.print(Text(f"    - {printable(text)}"))
        if len(found) > _TOLD:
            console.print(Text(f"    ... and {len(found) - _TOLD} more; --json has them all", style="dim"))


def mutation(certificate: Certificate) -> str:
    """The mutation score in words."""
    tasks = certificate.figures.get("mutation", {}).values()
    noticed = sum(score["inside"][0] + score["outside"][0] for score in tasks)
    counted = sum(score["inside"][1] + score["outside"][1] for score in tasks)
    return f"{noticed} of {counted} wrong states noticed"


def print_json(checked: Sequence[Checked]) -> None:
    """All results as one JSON list."""
    print(json.dumps([one.document() for one in checked], ensure_ascii=False, indent=2))
