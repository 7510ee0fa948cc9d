"""What one process per environment takes: the same tools behind HTTP, the state in a SQLite file of each episode."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import apsw
import httpx

from awm_gym import mcp_sdk
from awm_gym.answers import equal, expected_from, for_sql
from awm_gym.bench import peer
from awm_gym.bench.machine import median_us, memory_mb_of
from awm_gym.bench.workload import Run, Size, must, must_answer
from awm_gym.errors import EnvironmentFault
from awm_gym.expected import EndState, compile_end_states
from awm_gym.scenario import Scenario
from awm_gym.sql import statements
from awm_gym.world import compiled

TIMEOUT = 60.0  # seconds for a server to start, and for a call
Tell = Callable[[str], None]


class Judged(NamedTuple):
    """A task, with its compiled end states and the database that it starts with."""

    run: Run
    states: tuple[EndState, ...]
    initial: Path


class Baseline:
    """A scenario as the baseline serves it: files in a folder.

    Args:
        scenario: what to serve.
        runs: the solutions of its tasks.
        folder: where the files go; they are the caller's to remove.
    """

    def __init__(self, scenario: Scenario, runs: Sequence[Run], folder: Path) -> None:
        self._scenario, self._folder, self._copies = scenario, folder, 0
        shared = compiled(scenario)
        self.application = peer.Application(
            name=scenario.name,
            version=str(scenario.version),
            engine="sqlite3",
            now=scenario.now.isoformat(),
            tick=scenario.tick,
            user=scenario.user.id,
            tools=[_document(tool) for tool in shared.tools.values()],
        )
        givens = list(dict.fromkeys(run.task.given or "" for run in runs))
        try:
            initial = {given: self._initial(given) for given in givens}
        except sqlite3.Error:  # Python's SQLite is as old as the system's
            self.application["engine"] = "apsw"
            initial = {given: self._initial(given) for given in givens}
        self.document = folder / "application.json"
        self.document.write_text(json.dumps(self.application), "utf-8")
        tables = shared.template.tables
        self.tasks = tuple(
            Judged(run, compile_end_states(run.task, tables), initial[run.task.given or ""]) for run in runs
        )

    @property
    def engine(self) -> str:
        """The database engine and its version, as the report tells it."""
        if self.application["engine"] == "apsw":
            return f"apsw {apsw.sqlite_lib_version()}"
        return f"sqlite3 {sqlite3.sqlite_version}"

    def _initial(self, given: str) -> Path:
        """The database of an episode's start, with proof that every tool compiles there."""
        path = self._new_path()
        db = peer.Store(self.application, str(path)).db
        db.execute("BEGIN")
        for script in (self._scenario.db_schema, self._scenario.data, given):
            for statement in statements(script):
                db.execute(statement.text)
        db.execute("COMMIT")
        for tool in self.application["tools"]:
            for sql in tool["statements"]:
                db.execute(f"EXPLAIN {sql}", dict.fromkeys(tool["input_schema"]["properties"]))
        db.close()
        return path

    def _new_path(self) -> Path:
        self._copies += 1
        return self._folder / f"{self._copies}.db"

    def copy(self, path: Path) -> Path:
        """A copy of a database."""
        return Path(shutil.copyfile(path, self._new_path()))

    def verify(self, judged: Judged, path: Path, *, idle: bool = False) -> bool:
        """Judge a database as peers do: on copies of both files, looking at every table."""
        run = judged.run
        final, initial = self.copy(path), self.copy(judged.initial)
        store = peer.Store(self.application, str(final))
        try:
            store.db.execute("ATTACH ? AS before", (str(initial),))
            if run.task.infeasible is not None and (idle or not run.gave_up):
                return False
            return any(_reached(store, run, state, idle=idle) for state in judged.states)
        finally:
            store.db.close()


def _document(tool: Any) -> peer.ToolDocument:
    columns = tool.statements[tool.answer].columns if tool.answer >= 0 else ()
    return peer.ToolDocument(
        name=tool.tool.name,
        description=tool.tool.description,
        input_schema=tool.tool.input_schema,
        statements=[statement.sql for statement in tool.statements],
        answer=tool.answer,
        columns=list(columns),
    )
