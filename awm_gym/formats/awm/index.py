"""The index of a folder of AgentWorldModel data: which line of which file belongs to which scenario.

Nothing but places is kept in memory. Names are joined as AgentWorldModel joins them, and become ids that are safe as
file names, environment ids and words on a terminal.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from awm_gym.errors import ScenarioError, UsageError, shown, unknown
from awm_gym.formats.awm.lines import Layout, Line, Problem, Scan, scan, unpacked

_ID = re.compile(r"[a-z0-9_]{1,80}")


class File(NamedTuple):
    """A file of the format.

    Attributes:
        name: its name.
        layout: what its lines look like.
        without: what cannot be done without it.
        required: whether its absence is worth a word.
    """

    name: str
    layout: Layout
    without: str
    required: bool = True


_BY_NAME, _BY_SCENARIO = Layout("name"), Layout("scenario")
_VERIFIERS = Layout("scenario", ("verification", "code"))
_SOLUTIONS = Layout("scenario", ("calls",), list)
SCENARIOS = "gen_scenario.jsonl"
TASKS = "gen_tasks.jsonl"
DATABASES = "gen_db.jsonl"
ROWS = "gen_sample.jsonl"
SPECS = "gen_spec.jsonl"
PROGRAMS = "gen_envs.jsonl"
SQL_VERIFIERS = "gen_verifier.jsonl"
CODE_VERIFIERS = "gen_verifier.pure_code.jsonl"
SOLUTIONS = "gen_solution.jsonl"  # ours: AgentWorldModel's pipeline knows no solutions
FILES = (
    File(SCENARIOS, _BY_NAME, "scenarios have no descriptions"),
    File(TASKS, _BY_SCENARIO, "there are no tasks, so no episodes"),
    File(DATABASES, _BY_SCENARIO, "no database can be built, so nothing runs"),
    File(ROWS, _BY_SCENARIO, "databases are empty"),
    File(SPECS, _BY_SCENARIO, "arguments have no examples: tools cannot be audited, and applications not be compared"),
    File(PROGRAMS, _BY_SCENARIO, "there are no applications, so no tools"),
    File(SQL_VERIFIERS, _VERIFIERS, "no language model can be asked for a verdict"),
    File(CODE_VERIFIERS, _VERIFIERS, "there are no verdicts without a language model"),
    File(SOLUTIONS, _SOLUTIONS, "", required=False),
)


def normalized(name: str) -> str:
    """A scenario's name as AgentWorldModel joins its files by it: lower case, and one `_` for all the rest."""
    return re.sub(r"_+", "_", re.sub(r"[^a-z0-9_]", "_", name.lower())).strip("_")


def scenario_id(name: str) -> str:
    """The id of a scenario: its normalised name, or a hash where that is empty or has more than 80 characters."""
    short = normalized(name)
    if _ID.fullmatch(short):
        return short
    # Some files hold names that are normalised already: where there is something left, that is hashed.
    return "awm_" + hashlib.sha256((short or name).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Entry:
    """Where the parts of one scenario lie.

    Attributes:
        name: its id.
        title: its name as the first file writes it.
        lines: file name -> line, in files that have one for each scenario.
        by_task: file name -> number of the task -> line, in files that have one for each task.
    """

    name: str
    title: str
    lines: Mapping[str, Line]
    by_task: Mapping[str, Mapping[int, Line]]

    @property
    def lacks(self) -> tuple[str, ...]:
        """Names of the required files that say nothing of this scenario."""
        known = {*self.lines, *self.by_task}
        return tuple(file.name for file in FILES if file.required and file.name not in known)


@dataclass(frozen=True)
class Index:
    """What a folder holds.

    Attributes:
        directory: the folder.
        paths: file name -> the plain file with its lines.
        entries: id -> scenario, in the order of their ids.
        problems: lines that were left out, in the order of the files; a scenario with two lines in one file is left
            out whole.
        missing: file name -> what cannot be done without it.
    """

    directory: Path
    paths: Mapping[str, Path]
    entries: Mapping[str, Entry]
    problems: tuple[Problem, ...]
    missing: Mapping[str, str]
    _collisions: Mapping[str, Problem] = field(repr=False)

    @classmethod
    def of(cls, directory: str | Path) -> Index:
        """Index a folder: one pass over each file, and none at all the next time.

        Files may be packed as .jsonl.gz; where both are there, the plain one is read. Other files are never opened.

        Raises:
            UsageError: the folder is not there, or has none of the files.
        """
        folder = Path(directory)
        if not folder.is_dir():
            raise UsageError(f"There is no folder {shown(str(folder))}.")
        paths: dict[str, Path] = {}
        problems: list[Problem] = []
        join = _Join()
        for file in FILES:
            if found := _found(folder, file.name):
                try:
                    paths[file.name] = unpacked(found)
                    lines = scan(paths[file.name], found.name, file.layout)
                except ScenarioError as error:
                    paths.pop(file.name, None)
                    problems.append(Problem(error.file, 0, error.problem))
                else:
                    problems += [*lines.problems, *join.add(file, found.name, lines)]
        if not paths and not problems:
            names = ", ".join(file.name for file in FILES if file.required)
            raise UsageError(f"{shown(str(folder))} holds no AgentWorldModel data; that is {names}, or these as .gz")
        missing = {file.name: file.without for file in FILES if file.required and file.name not in paths}
        return cls(folder, paths, join.entries(), tuple(problems), missing, join.collisions)

    @classmethod
    def of_solutions(cls, path: str | Path) -> Index:
        """Index a file of known solutions that lies elsewhere, whatever its name.

        Raises:
            UsageError: it cannot be read.
        """
        found = Path(path)
        try:
            plain = unpacked(found)
            lines = scan(plain, found.name, _SOLUTIONS)
        except ScenarioError as error:
            raise UsageError(str(error)) from None
        join = _Join()
        between = tuple(join.add(File(SOLUTIONS, _SOLUTIONS, ""), found.name, lines))
        return cls(found.parent, {SOLUTIONS: plain}, join.entries(), (*lines.problems, *between), {}, {})

    def entry(self, name: str) -> Entry:
        """The scenario of an id, or of a name.

        Raises:
            UsageError: there is none.
            ScenarioError: there are two.
        """
        key = scenario_id(name)
        if collision := self._collisions.get(key):
            raise ScenarioError(collision.reason, file=f"{collision.file}, line {collision.line}", scenario=key)
        if key not in self.entries:
            raise UsageError(unknown(f"scenario in {self.directory.name}", name, self.entries))
        return self.entries[key]


def _found(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / name, folder / f"{name}.gz") if os.path.exists(path)), None)


class _Join:
    """Brings the lines of all files together, scenario by scenario."""

    def __init__(self) -> None:
        self.collisions: dict[str, Problem] = {}
        self._titles: dict[str, str] = {}
        self._lines: dict[str, dict[str, Line]] = {}
        self._by_task: dict[str, dict[str, dict[int, Line]]] = {}

    def add(self, file: File, shown_name: str, lines: Scan) -> Iterable[Problem]:
        """Take the lines of one file; what is wrong between them."""
        for line in lines.lines:
            key = scenario_id(line.name)
            self._titles.setdefault(key, line.name)
            problem = self._add(key, file.name, line)
            if problem:
                yield Problem(shown_name, line.number, problem)

    def _add(self, key: str, file: str, line: Line) -> str:
        if line.task is not None:
            # AgentWorldModel reads them into a dictionary, and its pipeline appends what it tries again.
            lines = self._by_task.setdefault(key, {}).setdefault(file, {})
            old = lines.get(line.task, line)
            lines[line.task] = line
            if old.digest == line.digest:
                return ""
            kind = "solution" if file == SOLUTIONS else "verifier"
            return f"is another {kind} of task {line.task} than line {old.number}; this one counts"
        first = self._lines.setdefault(key, {}).setdefault(file, line)
        if first is line:
            return ""
        problem = f"{shown(line.name)} is the scenario {key} as line {first.number} is, {shown(first.name)}; keep one"
        self.collisions.setdefault(key, Problem(file, line.number, problem))
        return problem

    def entries(self) -> dict[str, Entry]:
        """All scenarios of which each file has at most one line."""
        return {
            key: Entry(key, self._titles[key], self._lines.get(key, {}), self._by_task.get(key, {}))
            for key in sorted(self._titles)
            if key not in self.collisions
        }
