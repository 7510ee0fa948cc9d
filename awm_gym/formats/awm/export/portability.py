"""Whether SQL runs on the SQLite that comes with Python: exported programs use it, and it is older than ours."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing

from awm_gym.errors import ScenarioError
from awm_gym.formats.awm.export import judge_runtime
from awm_gym.formats.awm.export.concat import OrderedConcat
from awm_gym.formats.awm.export.older import translated
from awm_gym.formats.awm.export.tables import Database
from awm_gym.formats.awm.export.verifiers import queries
from awm_gym.scenario import Scenario
from awm_gym.sql import parameters
from awm_gym.world import compiled

_FUNCTIONS = {"now": 0, "me": 0, "refuse": 1}  # of ours, with how many arguments they take


def check(scenario: Scenario, database: Database, tasks: Mapping[str, judge_runtime.Task]) -> None:
    """Build the database, and compile the SQL of tools and verifiers without running it.

    Raises:
        ScenarioError: some does not compile.
    """
    with closing(sqlite3.connect(":memory:")) as db:
        for function, count in _FUNCTIONS.items():
            db.create_function(function, count, lambda *_: None, deterministic=True)
        db.create_aggregate("ordered_concat", -1, OrderedConcat)  # type: ignore[arg-type]
        trial = _Trial(scenario, db)
        for schema in database.schema:
            trial.run("schema.sql", schema.name, (schema.ddl, *schema.indexes))
        for filled in database.rows:
            trial.run("data.sql", filled.table, filled.statements)
        for tool in compiled(scenario).tools.values():
            script = (translated(statement.sql) for statement in tool.statements)
            trial.compile("tools.toml", f"{tool.tool.name}.sql", script)
        for name, task in tasks.items():
            for table, columns in task.before.items():
                db.execute(judge_runtime.creation(table, columns))
            trial.compile("tasks.toml", name, queries(task))
            for table in task.before:
                db.execute(f'DROP TABLE temp."before.{table}"')


class _Trial:
    def __init__(self, scenario: Scenario, db: sqlite3.Connection) -> None:
        self._scenario, self._db = scenario, db

    def run(self, file: str, key: str, script: Iterable[str]) -> None:
        for sql in script:
            try:
                self._db.execute(sql, dict.fromkeys(parameters(sql)))
            except sqlite3.Error as error:
                problem = f"does not run on SQLite {sqlite3.sqlite_version}, which comes with this Python: {error}"
                raise ScenarioError(problem, file=file, key=key, scenario=self._scenario.name) from error

    def compile(self, file: str, key: str, script: Iterable[str]) -> None:
        self.run(file, key, (f"EXPLAIN {sql}" for sql in script))
