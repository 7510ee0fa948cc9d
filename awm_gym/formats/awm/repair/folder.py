"""Folders mended: scenario by scenario on all cores, resumable, and written whole or not at all.

gen_*.jsonl      as they were, but for what was mended
repairs.jsonl    what was done, a line for each scenario
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TextIO

from pydantic import BaseModel, ConfigDict, ValidationError

from awm_gym import places, processes
from awm_gym.errors import ScenarioError, UsageError, shown
from awm_gym.formats.awm.index import Index
from awm_gym.formats.awm.records import AwmScenario, Source
from awm_gym.formats.awm.repair import lines
from awm_gym.formats.awm.repair.scenario import repair_scenario
from awm_gym.formats.awm.repair.values import Repair

REPAIRS = "repairs.jsonl"
_PACKAGES = ("fastapi", "pydantic", "sqlalchemy", "apsw")  # what a repair finds depends on them


class _Fragment(BaseModel):
    """A scenario that is done: its lines in all files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    lines: dict[str, list[str]]
    repair: Repair


def repair_all(
    directory: str | Path,
    out: str | Path,
    names: Sequence[str] = (),
    *,
    jobs: int = 1,
    solutions: Path | None = None,
) -> Iterator[Repair]:
    """Mend the scenarios of a folder into a new one; each comes as it is done, and the folder with the last.

    What is done is kept beside the new folder until that is written, so an interrupted repair goes on.

    Args:
        directory: the folder.
        out: the new one.
        names: of scenarios; all for none.
        jobs: processes.
        solutions: a file of known solutions; they go before those of the folder.

    Raises:
        UsageError: there is no such folder or scenario; the new one is there and not empty, or cannot be written;
            FastAPI or SQLAlchemy is not installed.
        ScenarioError: two scenarios have one of the names.
        SandboxUnavailable: this machine cannot lock generated code up.
    """
    index, target = Index.of(directory), Path(out)
    wanted = sorted({index.entry(name).name for name in names} or index.entries)
    try:
        if target.exists() and not (target.is_dir() and not any(target.iterdir())):
            raise UsageError(f"{shown(str(target))} is there already, and is not overwritten; name a new folder")
        done = target.with_name(f".{target.name}.repair")
        done.mkdir(parents=True, exist_ok=True)
        yield from processes.each(partial(_repair, directory, done, solutions), wanted, jobs)
        _assemble(done, wanted, target)
        shutil.rmtree(done)
    except OSError as error:
        raise UsageError(f"{shown(str(target))} cannot be written: {error.strerror}") from error


def _repair(directory: str | Path, done: Path, solutions: Path | None, name: str) -> Repair:
    """Mend a scenario, unless that has been done, and keep what came of it."""
    index = Index.of(directory)
    raw = lines.raw(index, index.entry(name))
    try:
        scenario = _read(index, name, solutions)
    except ScenarioError as error:
        return _keep(done, name, _Fragment(key="", lines=raw, repair=Repair(name=name, error=str(error))))
    whole = f"{places.code_digest(*_PACKAGES)} {raw} {sorted(scenario.solutions.items())}"
    content = hashlib.sha256(whole.encode()).hexdigest()
    with suppress(OSError, ValidationError):
        kept = _kept(done, name)
        if kept.key == content:
            return kept.repair
    repaired = repair_scenario(scenario)
    told = lines.rewritten(raw, scenario, repaired.scenario)
    return _keep(done, name, _Fragment(key=content, lines=told, repair=repaired.repair))


def _read(index: Index, name: str, solutions: Path | None) -> AwmScenario:
    source = Source(index)
    scenario = source.scenario(name)
    if solutions is None:
        return scenario
    others, _ = Source(Index.of_solutions(solutions)).solutions(name)
    return replace(scenario, solutions=dict(sorted({**scenario.solutions, **others}.items())))


def _kept(done: Path, name: str) -> _Fragment:
    return _Fragment.model_validate_json((done / f"{name}.json").read_bytes())


def _keep(done: Path, name: str, fragment: _Fragment) -> Repair:
    """Write it whole or not at all."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=done, suffix=".part", delete=False) as part:
        part.write(fragment.model_dump_json())
    os.replace(part.name, done / f"{name}.json")
    return fragment.repair


def _assemble(done: Path, wanted: Sequence[str], target: Path) -> None:
    """Write the folder: the same bytes in whatever order the scenarios came."""
    with tempfile.TemporaryDirectory(prefix=".awm-", dir=target.parent) as staging:
        made = Path(staging, "data")
        made.mkdir()
        with ExitStack() as stack:
            opened: dict[str, TextIO] = {}
            for name in wanted:
                fragment = _kept(done, name)
                for file, some in {**fragment.lines, REPAIRS: [fragment.repair.model_dump_json()]}.items():
                    if file not in opened:
                        opened[file] = stack.enter_context((made / file).open("w", encoding="utf-8", newline="\n"))
                    opened[file].writelines(f"{line}\n" for line in some)
        os.replace(made, target)
