"""What the lines of AgentWorldModel data say, typed. Unknown keys are left out, wrong types are named."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from awm_gym.errors import ScenarioError, UsageError, printable, shown
from awm_gym.formats.awm import index as files
from awm_gym.formats.awm.index import Entry, Index, scenario_id
from awm_gym.formats.awm.lines import Line, open_regular
from awm_gym.scenario import Call, Moment, ToolCall

_MANY = 1_000  # tables, tasks, tools or parameters of one scenario
_WORD = 200  # characters of a name
_PROSE = 20_000  # characters of what agents read
_SQL = 100_000  # characters of one statement, as many as the database takes
_PROGRAM = 2**21  # characters of generated Python

_Word = Annotated[str, Field(min_length=1, max_length=_WORD)]
_Prose = Annotated[str, Field(max_length=_PROSE)]
_Sql = Annotated[str, Field(max_length=_SQL)]
_Program = Annotated[str, Field(min_length=1, max_length=_PROGRAM)]
_T = TypeVar("_T")
_Some = Annotated[tuple[_T, ...], Field(max_length=_MANY, strict=False)]  # strict would refuse lists


class _Record(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, value: Any) -> Any:
        """Models that mean "none" write null as readily as an empty list, or nothing."""
        return {key: item for key, item in value.items() if item is not None} if isinstance(value, dict) else value


class TableSchema(_Record):
    """A table: the statement that creates it and those that create its indexes."""

    name: _Word
    ddl: _Sql
    indexes: _Some[_Sql] = ()


class TableRows(_Record):
    """The statements that fill a table."""

    table_name: _Word
    insert_statements: Annotated[tuple[str, ...], Field(max_length=10 * _MANY, strict=False)] = ()


class Parameter(_Record):
    """A parameter of an endpoint; `param_type` says where it goes (path, query, body)."""

    type: _Word
    param_type: _Word = "body"
    required: bool = False
    description: _Prose = ""
    example: Any = None


class Endpoint(_Record):
    """A tool as the specification promises it. The application decides what there is."""

    path: _Word
    method: _Word
    operation_id: _Word
    summary: _Prose = ""
    description: _Prose = ""
    tags: _Some[_Prose] = ()
    request_params: Annotated[dict[_Word, Parameter], Field(max_length=_MANY)] = {}
    response: Any = None


class _Group(_Record):
    endpoints: _Some[Endpoint] = ()


class _Spec(_Record):
    api_groups: _Some[_Group] = ()


class _Schema(_Record):
    tables: _Some[TableSchema] = ()


class _Sample(_Record):
    tables: _Some[TableRows] = ()


class _Verification(_Record):
    code: _Program


class _Line(_Record):
    owner: str = Field(validation_alias="scenario")


class _DescriptionLine(_Line):
    owner: str = Field(validation_alias="name")
    description: _Prose = ""
    now: Moment | None = None


class _TasksLine(_Line):
    tasks: _Some[Annotated[str, Field(min_length=1, max_length=_PROSE)]]


class _DatabaseLine(_Line):
    db_schema: _Schema  # `db_path` stands beside it: a path on the author's machine, never looked at


class _RowsLine(_Line):
    sample_data: _Sample


class _SpecLine(_Line):
    api_spec: _Spec


class _ProgramLine(_Line):
    full_code: _Program


class _VerifierLine(_Line):
    verification: _Verification


class _SolutionLine(_Line):
    calls: Annotated[tuple[Call, ...], Field(max_length=_MANY, strict=False)]
    answer: _Prose | None = None


_L = TypeVar("_L", bound=_Line)
_KINDS = {"sql": files.SQL_VERIFIERS, "code": files.CODE_VERIFIERS}


class Solution(NamedTuple):
    """How a task is solved, as somebody claims.

    Attributes:
        calls: of tools, in order.
        answer: the final answer; None if there is none.
    """

    calls: tuple[ToolCall, ...]
    answer: str | None


@dataclass(frozen=True)
class AwmScenario:
    """One generated application.

    Attributes:
        name: its id.
        title: its name as its author wrote it; may hold any character.
        description: what the application is.
        tasks: the instructions, in order.
        ddl: the tables of its database.
        inserts: what fills them.
        endpoints: the tools of its specification.
        code: the application, a Python module; "" if there is none.
        verifiers: number of the task -> "sql" (evidence for a judge) or "code" (a verdict) -> Python.
        now: the scenario's clock, where `gen_scenario.jsonl` tells it as our export does; its instructions then say
            themselves what time it is and for whom the agent acts.
        solutions: number of the task -> how it is solved, where `gen_solution.jsonl` tells.
        lacks: names of the files that say nothing of it.
        problems: lines that were left out because they are malformed; of kinds that the scenario can run without.
    """

    name: str
    title: str
    description: str
    tasks: tuple[str, ...]
    ddl: tuple[TableSchema, ...]
    inserts: tuple[TableRows, ...]
    endpoints: tuple[Endpoint, ...]
    code: str
    verifiers: Mapping[int, Mapping[str, str]]
    now: datetime | None = None
    solutions: Mapping[int, Solution] = field(default_factory=dict)
    lacks: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over all that decides how it plays, 64 hexadecimal digits."""
        content = (
            self.name,
            self.description,
            self.tasks,
            [table.model_dump() for table in self.ddl],
            [table.model_dump() for table in self.inserts],
            self.code,
            self.now and self.now.isoformat(),
            [(task, dict(kinds)) for task, kinds in self.verifiers.items()],
        )
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def only(self, tasks: Collection[int]) -> AwmScenario:
        """The scenario with the verifiers and the solutions of these tasks only."""
        verifiers = {task: kinds for task, kinds in self.verifiers.items() if task in tasks}
        solutions = {task: solution for task, solution in self.solutions.items() if task in tasks}
        return replace(self, verifiers=verifiers, solutions=solutions)


class Source:
    """Reads the scenarios of an index, one at a time and only when asked."""

    def __init__(self, index: Index) -> None:
        self.index = index

    def scenario(self, name: str) -> AwmScenario:
        """Read all that the files say of a scenario.

        A malformed description, specification or verifier costs only itself: nothing runs on them alone.

        Raises:
            UsageError: there is no such scenario, or a file is no longer what was indexed.
            ScenarioError: tasks, schema, data or program are malformed.
        """
        entry = self.index.entry(name)
        problems: list[str] = []
        told = self._optional(_DescriptionLine, entry, files.SCENARIOS, problems)
        tasks = self._record(_TasksLine, entry, files.TASKS)
        database = self._record(_DatabaseLine, entry, files.DATABASES)
        rows = self._record(_RowsLine, entry, files.ROWS)
        spec = self._optional(_SpecLine, entry, files.SPECS, problems)
        program = self._record(_ProgramLine, entry, files.PROGRAMS)
        verifiers = self._verifiers(entry, problems)
        return AwmScenario(
            name=entry.name,
            title=entry.title,
            description=told.description if told else "",
            tasks=tasks.tasks if tasks else (),
            ddl=database.db_schema.tables if database else (),
            inserts=rows.sample_data.tables if rows else (),
            endpoints=tuple(e for group in spec.api_spec.api_groups for e in group.endpoints) if spec else (),
            code=program.full_code if program else "",
            verifiers=verifiers,
            now=told.now if told else None,
            solutions=self._solutions(entry, problems),
            lacks=entry.lacks,
            problems=tuple(problems),
        )

    def solutions(self, name: str) -> tuple[dict[int, Solution], tuple[str, ...]]:
        """The known solutions of a scenario by task, and what is wrong with lines that were left out.

        Both are empty if the files do not know the scenario.

        Raises:
            UsageError: a file is no longer what was indexed.
        """
        problems: list[str] = []
        entry = self.index.entries.get(scenario_id(name))
        return self._solutions(entry, problems) if entry else {}, tuple(problems)

    def _verifiers(self, entry: Entry, problems: list[str]) -> dict[int, dict[str, str]]:
        found: dict[int, dict[str, str]] = {}
        for kind, file in _KINDS.items():
            for task, line in entry.by_task.get(file, {}).items():
                with _noting(problems):
                    code = self._read(_VerifierLine, entry, file, line).verification.code
                    found.setdefault(task, {})[kind] = code
        return dict(sorted(found.items()))

    def _solutions(self, entry: Entry, problems: list[str]) -> dict[int, Solution]:
        found: dict[int, Solution] = {}
        for task, line in sorted(entry.by_task.get(files.SOLUTIONS, {}).items()):
            with _noting(problems):
                told = self._read(_SolutionLine, entry, files.SOLUTIONS, line)
                found[task] = Solution(told.calls, told.answer)
        return found

    def _optional(self, model: type[_L], entry: Entry, file: str, problems: list[str]) -> _L | None:
        with _noting(problems):
            return self._record(model, entry, file)
        return None

    def _record(self, model: type[_L], entry: Entry, file: str) -> _L | None:
        return self._read(model, entry, file, entry.lines[file]) if file in entry.lines else None

    def _read(self, model: type[_L], entry: Entry, file: str, line: Line) -> _L:
        place = f"{file}, line {line.number}"
        with open_regular(self.index.paths[file]) as opened:
            opened.seek(line.offset)
            content = opened.read(line.length)
        try:
            record = model.model_validate_json(content)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            if first["type"] == "json_invalid":
                raise _moved(place) from None
            key = printable(".".join(str(part)[:_WORD] for part in first["loc"]))
            problem = f"{first['msg']}, got {shown(first['input'])}"
            raise ScenarioError(problem, file=place, key=key, scenario=entry.name) from None
        if scenario_id(record.owner) != entry.name:
            raise _moved(place)
        return record


def _moved(place: str) -> UsageError:
    return UsageError(f"{place} is not what was indexed: the file has changed; index the folder again")


@contextlib.contextmanager
def _noting(problems: list[str]) -> Iterator[None]:
    """Go on after an error, and keep what it says."""
    try:
        yield
    except ScenarioError as error:
        problems.append(str(error))
