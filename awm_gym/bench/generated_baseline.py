"""What generated applications take the way the original runs them: a server process for each environment, and files."""

from __future__ import annotations

import json
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from awm_gym.bench import generated_peer
from awm_gym.bench.baseline import TIMEOUT, listening
from awm_gym.bench.generated import LIVE_STEPS, Play, Size, live_figures, must_agree
from awm_gym.bench.machine import median_us, memory_mb_of
from awm_gym.bench.workload import must
from awm_gym.errors import EnvironmentFault
from awm_gym.formats.awm import openapi
from awm_gym.formats.awm.openapi import Operation

ENGINE = f"sqlite3 {sqlite3.sqlite_version}"
_PEER = [sys.executable, "-P", generated_peer.__file__]
_REWARDS = {"complete": 1.0, "others": 0.0}


def measure(
    code: str, initial: bytes, plays: Sequence[Play], size: Size, tell: Callable[[str], None]
) -> dict[str, float]:
    """Figures of an application by their names, the same as here.

    Raises:
        EnvironmentFault: a server does not start or fails, it answers otherwise than here, or a verifier judges so.
    """
    with tempfile.TemporaryDirectory(prefix="awm-gym-bench-") as folder:
        kit = Kit(code, initial, Path(folder))
        timed = _Timed(kit)
        tell("a process for each environment")
        for index in range(size.starts):
            timed.play(plays[index % len(plays)])
        tell("verdicts")
        timed.judge(plays)
        tell(f"{size.many_servers} servers at once")
        live = _live(kit, timed.operations, plays, size.many_servers)
    reset, step = median_us(timed.resets), median_us(timed.steps)
    return {
        "reset_us": reset,
        "reset_inplace_us": reset,
        "step_us": step,
        "step_inplace_us": step,
        "verify_us": median_us(timed.verdicts),
        "memory_mb": statistics.median(timed.memory),
        "episodes_per_second": len(timed.episodes) / sum(timed.episodes),
    } | live


class Kit:
    """An application and its initial database as files in a folder, which the caller removes."""

    def __init__(self, code: str, initial: bytes, folder: Path) -> None:
        self._folder, self._files = folder, 0
        self.code = self.file(code.encode())
        self.initial = self.file(initial)

    def file(self, content: bytes) -> Path:
        """A new file."""
        path = self._new()
        path.write_bytes(content)
        return path

    def copy(self, path: Path) -> Path:
        """A new copy of a file."""
        return Path(shutil.copyfile(path, self._new()))

    def verify(self, verifier: str, final: Path, answer: str) -> float:
        """Judge a database as the original does: on copies of the files, in a process that executes the verifier.

        Raises:
            EnvironmentFault: the verifier comes to no verdict.
        """
        paths = self.file(verifier.encode()), self.copy(self.initial), self.copy(final)
        command = [*_PEER, "verify", *map(str, paths), answer]
        try:
            done = subprocess.run(command, capture_output=True, timeout=TIMEOUT, check=True)
            return _REWARDS[json.loads(done.stdout)["result"]]
        except (subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
            raise EnvironmentFault(f"a verifier came to no verdict in the baseline: {error}") from error
        finally:
            for path in paths:
                path.unlink()

    def _new(self) -> Path:
        self._files += 1
        return self._folder / f"{self._files}.db"


class Server(AbstractContextManager["Server"]):
    """An application under uvicorn. It ends with the block, and with this process whatever happens.

    Args:
        code: the file that holds it.
        database: the file that holds its state.

    Raises:
        EnvironmentFault: no port can be bound, or it does not answer.
    """

    def __init__(self, code: Path, database: Path) -> None:
        with ExitStack() as stack:
            ours = stack.enter_context(listening())
            url = f"http://127.0.0.1:{ours.getsockname()[1]}"
            self._errors = stack.enter_context(tempfile.TemporaryFile())
            self._client = stack.enter_context(httpx.Client(base_url=url, timeout=TIMEOUT, trust_env=False))
            self._process = subprocess.Popen(
                [*_PEER, "serve", str(code), str(database), str(ours.fileno())],
                stdin=subprocess.PIPE,
                start_new_session=True,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                pass_fds=[ours.fileno()],
            )
            stack.callback(self._process.communicate)
            stack.callback(self._process.kill)
            ours.close()  # it has inherited the socket, so this request waits until it answers, or dies
            self._request("GET", "/openapi-is-not-here")
            self._stack = stack.pop_all()

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def operations(self) -> dict[str, Operation]:
        """Its operations by name."""
        document = self._request("GET", "/openapi.json").json()
        return {operation.name: operation for operation in openapi.distinct(openapi.operations(document))}

    def call(self, operation: Operation, arguments: Mapping[str, Any]) -> httpx.Response:
        """Call an operation over a connection that is kept.

        Raises:
            EnvironmentFault: the server fails.
        """
        asked = openapi.request(operation, arguments)
        target = f"{quote(asked.path)}?{asked.query.decode()}"
        return self._request(asked.method, target, headers=asked.headers, content=asked.body)

    def _request(self, method: str, target: str, **content: Any) -> httpx.Response:
        try:
            return self._client.request(method, target, **content)
        except httpx.HTTPError as error:
            self._errors.seek(0)
            words = self._errors.read().decode(errors="replace").strip().splitlines()[-1:]
            raise EnvironmentFault(f"a server of the baseline failed: {error} {words}") from error

    def close(self) -> None:
        """End the process."""
        self._stack.close()

    def __exit__(self, *_: object) -> None:
        self.close()


class _Timed:
    """Durations of the parts of episodes, in seconds, and memory."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self.resets: list[float] = []
        self.steps: list[float] = []
        self.verdicts: list[float] = []
        self.episodes: list[float] = []
        self.memory: list[float] = []
        with Server(kit.code, kit.copy(kit.initial)) as server:
            self.operations = server.operations()

    def play(self, play: Play) -> None:
        """An episode as the original plays it: a process is started for it."""
        clock = time.perf_counter
        began = clock()
        database = self.kit.copy(self.kit.initial)
        with Server(self.kit.code, database) as server:
            self.resets.append(clock() - began)
            for step in play.steps:
                start = clock()
                response = server.call(self.operations[step.call.name], step.call.arguments)
                self.steps.append(clock() - start)
                must_agree("the baseline", step, response.status_code, response.text)
            self.memory.append(memory_mb_of(server.pid))
            start = clock()
            self.kit.verify(play.judged[0].code, database, play.judged[0].answer)
            self.verdicts.append(clock() - start)
        self.episodes.append(clock() - began)

    def judge(self, plays: Iterable[Play]) -> None:
        """The control: on the same databases every verifier says what it says here."""
        for play in plays:
            final = self.kit.file(play.final)
            for each in play.judged:
                said = self.kit.verify(each.code, final, each.answer)
                must(said == each.reward, f"a verifier gives {said} in the baseline, and {each.reward} here")


def _live(kit: Kit, operations: Mapping[str, Operation], plays: Sequence[Play], count: int) -> dict[str, float]:
    """So many servers at once: started, each stepped, and judged."""
    failures, start = 0, time.perf_counter()
    with ExitStack() as stack:
        pairs = []
        for _ in range(count):
            database = kit.copy(kit.initial)
            pairs.append((stack.enter_context(Server(kit.code, database)), database))
        for index, (server, database) in enumerate(pairs):
            play = plays[index % len(plays)]
            try:
                for step in play.steps[:LIVE_STEPS]:
                    server.call(operations[step.call.name], step.call.arguments)
                kit.verify(play.judged[0].code, database, play.judged[0].answer)
            except EnvironmentFault:
                failures += 1
    return live_figures(count, time.perf_counter() - start, failures)
