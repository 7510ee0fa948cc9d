"""What one process per environment takes: the tools behind HTTP, the state in a SQLite file copied for each episode."""

from __future__ import annotations

import asyncio
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
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import httpx

from awm_gym import mcp_sdk
from awm_gym.answers import equal, expected_from, for_sql
from awm_gym.bench import peer
from awm_gym.bench.machine import median_us, memory_mb_of
from awm_gym.bench.workload import Run, Size, Step, must, must_answer
from awm_gym.errors import AwmError, EnvironmentFault
from awm_gym.expected import EndState, compile_end_states
from awm_gym.scenario import Scenario, Task
from awm_gym.sql import statements
from awm_gym.tools import CompiledTool
from awm_gym.world import compiled

TIMEOUT = 60.0  # seconds for a server to start, and for a call


def measure(
    scenario: Scenario, runs: Sequence[Run], size: Size, tell: Callable[[str], None]
) -> tuple[dict[str, float], str]:
    """Figures of a scenario by their names, the same as here; and the database engine.

    Raises:
        EnvironmentFault: a server does not start or fails, or it answers otherwise than here.
    """
    with tempfile.TemporaryDirectory(prefix="awm-gym-bench-") as folder:
        kit = Kit(scenario, runs, Path(folder))
        timed = _Timed(kit)
        tell("a process for each environment")
        timed.start(size.starts)
        tell("calls over HTTP")
        timed.play(size.rounds)
        tell("calls over MCP")
        framed = asyncio.run(_mcp_calls(kit, size.rounds))
    steps = timed.reads + timed.writes
    return {
        "reset_us": median_us(timed.resets),
        "step_us": median_us(steps),
        "step_read_us": median_us(timed.reads or [0.0]),
        "step_write_us": median_us(timed.writes or [0.0]),
        "step_memory_us": median_us(framed),
        "verify_us": median_us(timed.verdicts),
        "memory_mb": statistics.median(timed.memory),
        "steps_per_second": len(steps) / sum(steps),
        "episodes_per_second": len(timed.episodes) / sum(timed.episodes),
    }, kit.engine


class Judged(NamedTuple):
    """A task's solution, the compiled end states that are right, and the database that it starts with."""

    run: Run
    states: tuple[EndState, ...]
    initial: Path


class Kit:
    """A scenario in the form that servers of the baseline need, as files in a folder.

    Args:
        scenario: what to serve.
        runs: the solutions of its tasks.
        folder: where the files go; the caller removes it.

    Raises:
        EnvironmentFault: an episode in which nothing was done is judged to be solved.
    """

    def __init__(self, scenario: Scenario, runs: Sequence[Run], folder: Path) -> None:
        self._scenario, self._runs, self._folder, self._copies = scenario, runs, folder, 0
        self._shared = compiled(scenario)
        self.application = peer.Application(
            name=scenario.name,
            version=str(scenario.version),
            engine="sqlite3",
            now=scenario.now.isoformat(),
            tick=scenario.tick,
            user=scenario.user.id,
            tools=[_document(tool) for tool in self._shared.tools.values()],
        )
        try:
            self.tasks = self._prepared()
        except sqlite3.Error:  # Python's own SQLite may be too old for the scenario
            self.application["engine"] = "apsw"
            self.tasks = self._prepared()
        self.document = folder / "application.json"
        self.document.write_text(json.dumps(self.application), "utf-8")

    @property
    def engine(self) -> str:
        """The database engine of the servers, and its version."""
        if self.application["engine"] == "apsw":
            return f"apsw {apsw.sqlite_lib_version()}"
        return f"sqlite3 {sqlite3.sqlite_version}"

    def copy(self, path: Path) -> Path:
        """A new copy of a database."""
        return Path(shutil.copyfile(path, self._new_path()))

    def verify(self, judged: Judged, path: Path, *, idle: bool = False) -> bool:
        """Judge a database as peers do: on copies of both files, and every table is compared.

        Args:
            judged: the task.
            path: the database as the episode left it.
            idle: whether the episode was over before it began: nothing was done, and nothing answered.
        """
        run = judged.run
        final = shutil.copyfile(path, self._folder / "final.db")
        initial = shutil.copyfile(judged.initial, self._folder / "initial.db")
        store = peer.Store(self.application, str(final))
        store.now += timedelta(seconds=0 if idle else self._scenario.tick * len(run.steps))
        try:
            store.db.execute("ATTACH ? AS before", (str(initial),))
            reached = [_reached(store, state) for state in judged.states]
            answered = _answered(store, run.task, None if idle else run.answer)
        finally:
            store.db.close()
        ended_well = (run.gave_up and not idle) == (run.task.infeasible is not None)
        return ended_well and answered and any(reached)

    def _prepared(self) -> tuple[Judged, ...]:
        """The tasks, with proof that the engine knows all SQL of theirs."""
        givens = dict.fromkeys(run.task.given or "" for run in self._runs)
        initial = {given: self._initial(given) for given in givens}
        tasks = []
        for run in self._runs:
            task = Task(name="nothing", instruction="Nothing.", solution=()) if run.task.infeasible else run.task
            states = compile_end_states(task, self._shared.template.tables)
            judged = Judged(run, states, initial[run.task.given or ""])
            idle = self.verify(judged, judged.initial, idle=True)
            must(not idle, f"the baseline has {run.task.name} solved by doing nothing")
            tasks.append(judged)
        return tuple(tasks)

    def _initial(self, given: str) -> Path:
        """The database that episodes start with, with proof that every tool compiles there."""
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


def _document(tool: CompiledTool) -> peer.ToolDocument:
    return peer.ToolDocument(
        name=tool.tool.name,
        description=tool.tool.description,
        input_schema=tool.tool.input_schema,
        statements=[statement.sql for statement in tool.statements],
        answer=tool.answer,
        columns=list(tool.statements[tool.answer].columns) if tool.answer >= 0 else [],
    )


def _reached(store: peer.Store, state: EndState) -> bool:
    """Whether a database is in an end state: all that is wanted is there, and nothing else differs."""
    wanted = [bool(store.rows(expectation.sql, {})[0][0]) for expectation in state.expectations]
    queries = [sql for frame in state.frames.values() for sql in (frame.changed, frame.added, frame.removed) if sql]
    stray = [row for sql in queries for row in store.rows(sql, {})]
    return all(wanted) and not stray


def _answered(store: peer.Store, task: Task, answer: Any) -> bool:
    """Whether the answer is right, and the author's own checks hold."""
    bindings: Mapping[str, Any] = {"answer": for_sql(task.answer, answer) if task.answer else None}
    holds = [bool(store.rows(f"SELECT ({sql}) IS TRUE", bindings)[0][0]) for sql in task.checks.values()]
    if task.infeasible is not None or task.answer is None or task.expect is None:
        return task.infeasible is not None or all(holds)
    cursor = store.db.execute(task.expect, bindings)
    first = cursor.fetchone()
    columns = [column[0] for column in cursor.description] if first is not None else []
    rows = [first, *cursor] if first is not None else []
    return all(holds) and equal(task.answer, answer, expected_from(task.answer, rows, columns))


class Server(AbstractContextManager["Server"]):
    """A running process of the baseline. It ends with the block, and with this process whatever happens.

    Args:
        application: the file that says what it serves.
        database: the file that holds its state.
        mcp: whether it speaks MCP too.

    Raises:
        EnvironmentFault: no port can be bound, or the process does not answer.
    """

    def __init__(self, application: Path, database: Path, *, mcp: bool = False) -> None:
        program = ["-m", "awm_gym.bench.peer_mcp"] if mcp else ["-P", peer.__file__]
        with ExitStack() as stack:
            ours = stack.enter_context(listening())
            self.url = f"http://127.0.0.1:{ours.getsockname()[1]}"
            self._errors = stack.enter_context(tempfile.TemporaryFile())
            self._client = stack.enter_context(httpx.Client(base_url=self.url, timeout=TIMEOUT, trust_env=False))
            self._process = subprocess.Popen(
                [sys.executable, *program, str(application), str(database), str(ours.fileno())],
                stdin=subprocess.PIPE,  # the process ends when this is closed: it never outlives us
                start_new_session=True,  # Ctrl-C is for us; we end it
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                pass_fds=[ours.fileno()],
            )
            stack.callback(self._process.communicate)
            stack.callback(self._process.kill)
            # It inherits the listening socket, and we close ours: so this request waits until it answers, which is
            # what a peer polls for, and fails at once if it dies.
            ours.close()
            self._request("GET", "/health")
            self._stack = stack.pop_all()

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def call(self, name: str, arguments: Mapping[str, Any]) -> httpx.Response:
        """Call a tool: an HTTP request over a connection that is kept.

        Raises:
            EnvironmentFault: the server fails.
        """
        return self._request("POST", f"/tools/{name}", json=arguments)

    def open(self, database: Path) -> None:
        """Turn to another database, for another episode.

        Raises:
            EnvironmentFault: the server fails.
        """
        self._request("POST", "/open", params={"path": str(database)})

    def _request(self, method: str, path: str, **content: Any) -> httpx.Response:
        try:
            response = self._client.request(method, path, **content)
        except httpx.HTTPError as error:
            raise EnvironmentFault(f"a server of the baseline failed: {error}{self._last_words()}") from error
        if response.status_code not in (200, 409):
            raise EnvironmentFault(
                f"a server of the baseline answered {path} with {response.status_code}: "
                f"{response.text[:300]}{self._last_words()}"
            )
        return response

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return f" ({lines[-1]})" if lines else ""

    def close(self) -> None:
        """End the process."""
        self._stack.close()

    def __exit__(self, *_: object) -> None:
        self.close()


def listening() -> socket.socket:
    """A socket of this machine that listens, for a server to inherit.

    Raises:
        EnvironmentFault: no port can be bound.
    """
    try:
        return socket.create_server(("127.0.0.1", 0))
    except OSError as error:
        raise EnvironmentFault(f"no port of 127.0.0.1 can be bound for the baseline: {error}") from error


class _Timed:
    """Durations of the parts of episodes, in seconds, and memory."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self.resets: list[float] = []
        self.reads: list[float] = []
        self.writes: list[float] = []
        self.verdicts: list[float] = []
        self.episodes: list[float] = []
        self.memory: list[float] = []

    def start(self, count: int) -> None:
        """Play episodes as peers do: a process is started for each."""
        for index in range(count):
            judged = self.kit.tasks[index % len(self.kit.tasks)]
            start = time.perf_counter()
            database = self.kit.copy(judged.initial)
            with Server(self.kit.document, database) as server:
                self.resets.append(time.perf_counter() - start)
                self._episode(server, judged, database)
                self.episodes.append(time.perf_counter() - start)
                self.memory.append(memory_mb_of(server.pid))
            database.unlink()

    def play(self, rounds: int) -> None:
        """Play more episodes in one process: steps and verdicts cost the same there."""
        judged = self.kit.tasks[0]
        with Server(self.kit.document, self.kit.copy(judged.initial)) as server:
            for _ in range(rounds):
                for judged in self.kit.tasks:
                    database = self.kit.copy(judged.initial)
                    server.open(database)
                    self._episode(server, judged, database)
                    database.unlink()

    def _episode(self, server: Server, judged: Judged, database: Path) -> None:
        clock = time.perf_counter
        for step in judged.run.steps:
            start = clock()
            response = server.call(step.call.name, step.call.arguments)
            (self.writes if step.writes else self.reads).append(clock() - start)
            text = response.text if response.status_code == 200 else response.json()["detail"]
            must_answer("the baseline", step, text)
        start = clock()
        solved = self.kit.verify(judged, database)
        self.verdicts.append(clock() - start)
        must(solved, f"the solution of {judged.run.task.name} does not verify in the baseline")


async def _mcp_calls(kit: Kit, rounds: int) -> list[float]:
    """Durations of tool calls over MCP, the SDK at both ends."""
    seconds: list[float] = []
    answers: list[tuple[Step, str]] = []
    fault: AwmError | None = None
    with Server(kit.document, kit.copy(kit.tasks[0].initial), mcp=True) as server:
        async with _mcp_session(f"{server.url}/mcp/") as session:
            try:
                for judged in kit.tasks * rounds:
                    database = kit.copy(judged.initial)
                    server.open(database)
                    for step in judged.run.steps:
                        start = time.perf_counter()
                        answer = await session.call_tool(step.call.name, dict(step.call.arguments))
                        seconds.append(time.perf_counter() - start)
                        answers.append((step, answer.text))
                    database.unlink()
            except AwmError as error:
                fault = error  # raised below: the SDK's task groups would wrap it
    if fault is not None:
        raise fault
    for step, text in answers:
        must_answer("the baseline over MCP", step, text)
    return seconds


@asynccontextmanager
async def _mcp_session(url: str) -> AsyncIterator[mcp_sdk.Session]:
    if mcp_sdk.MAJOR >= 2:
        async with importlib.import_module("mcp").Client(url, cache=None) as client:
            yield mcp_sdk.Session(client)
        return
    transport = importlib.import_module("mcp.client.streamable_http").streamable_http_client(url)
    async with transport as (read, write, *_), importlib.import_module("mcp").ClientSession(read, write) as client:
        await client.initialize()
        yield mcp_sdk.Session(client)
