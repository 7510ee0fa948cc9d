"""Gates on determinism: the same calls, the same bytes, wherever and in whatever order."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator

from awm_gym.files import parse, render
from awm_gym.gates.prover import Prover
from awm_gym.scenario import Scenario, ToolCall
from awm_gym.world import World

_DEADLINE = 120  # seconds for the fresh process; past it the machine is at fault, and says so
_OTHER_MACHINE = {"PYTHONHASHSEED": "4242", "TZ": "Pacific/Auckland", "LC_ALL": "C"}


def resets_identically(prover: Prover) -> Iterator[str]:
    """Two resets, another world, a fresh process and another scan order give the same states and the same answers.

    Remedy: end every ORDER BY in a key, and let no result depend on the order in which rows are found.
    """
    world = prover.world
    prover.start(None)
    fresh = world.state_hash()
    for task in prover.tasks:
        prover.replay(task, task.solution)
        world.reset()
        if world.state_hash() != fresh:
            yield f"{task.name}: after its solution, reset does not restore the data"
    other = World(prover.scenario)
    if other.state_hash() != fresh:
        yield "a second world starts in another state"
    other.close()
    yield from _scan_order(prover)
    digest = _played(prover.scenario)
    if _in_a_fresh_process(prover.scenario) != digest:
        yield "a fresh process answers the solutions with other bytes"


def _scan_order(prover: Prover) -> Iterator[str]:
    """Answers must not change when rows without an order come the other way round."""
    forward = {task.name: prover.run(task, task.solution).results for task in prover.tasks}
    prover.world.reverse_unordered(on=True)
    try:
        for task in prover.tasks:
            backward = prover.replay(task, task.solution)
            for call, one, two in zip(task.solution, forward[task.name], backward, strict=False):
                if one.text != two.text:
                    yield f"{call.name}: answers in no certain order, in the solution of {task.name}"
            answer = task.solution[-1].arguments.get("answer")
            if prover.end(answer) != prover.run(task, task.solution).end:
                yield f"{task.name}: its solution ends otherwise when rows come the other way round"
            elif not prover.passes(task, answer):
                yield f"{task.name}: its solution fails when rows come the other way round; order what is expected"
        for tool in prover.scenario.tools.values():
            for entry in tool.examples:
                prover.world.start_from(entry.given)
                one_way = prover.world.call(ToolCall(tool.name, entry.arguments)).text
                prover.world.reverse_unordered(on=False)
                prover.world.start_from(entry.given)
                other_way = prover.world.call(ToolCall(tool.name, entry.arguments)).text
                prover.world.reverse_unordered(on=True)
                if one_way != other_way:
                    yield f"{tool.name}: answers in no certain order, in one of its examples"
    finally:
        prover.world.reverse_unordered(on=False)


def _played(scenario: Scenario) -> str:
    """One hash over the answers and end states of all solutions."""
    digest = hashlib.sha256()
    prover = Prover(scenario)
    for task in prover.tasks:
        run = prover.run(task, task.solution)
        digest.update(
            json.dumps([[result.text for result in run.results], run.end, prover.world.state_hash()]).encode()
        )
    prover.forget()
    return digest.hexdigest()


def _in_a_fresh_process(scenario: Scenario) -> str:
    """The same hash from a process with another hash seed, time zone and locale."""
    code = "from awm_gym.gates.determinism import answer_for_parent; answer_for_parent()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(render(scenario)).encode(),
        capture_output=True,
        timeout=_DEADLINE,
        env={**os.environ, **_OTHER_MACHINE},
        check=False,
    )
    return done.stdout.decode(errors="replace").strip() or done.stderr.decode(errors="replace")[-200:]


def answer_for_parent() -> None:
    """Read a scenario's files as JSON from standard input and print the hash of its solutions."""
    print(_played(parse(json.load(sys.stdin))))
