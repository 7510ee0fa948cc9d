"""The lines of a repaired scenario: as they were, but for what was mended."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from awm_gym.formats.awm import index as files
from awm_gym.formats.awm.index import Entry, Index
from awm_gym.formats.awm.lines import Line, open_regular
from awm_gym.formats.awm.records import AwmScenario

Lines = dict[str, list[str]]  # file -> its lines, without the line breaks


def raw(index: Index, entry: Entry) -> Lines:
    """What the files of a folder say of a scenario."""
    found = {file: [_read(index, file, line)] for file, line in entry.lines.items()}
    for file, by_task in entry.by_task.items():
        found[file] = [_read(index, file, line) for _, line in sorted(by_task.items())]
    return {file.name: found[file.name] for file in files.FILES if file.name in found}


def rewritten(lines: Lines, before: AwmScenario, after: AwmScenario) -> Lines:
    """The lines with what has changed between two forms of their scenario; what the files say beyond that stays.

    Args:
        lines: as they were.
        before: what they say.
        after: what they are to say.
    """
    found = dict(lines)
    if after.inserts != before.inserts:
        found[files.ROWS] = [_changed(line, _inserts, after) for line in lines[files.ROWS]]
    if after.endpoints != before.endpoints:
        found[files.SPECS] = [_changed(line, _paths, after) for line in lines[files.SPECS]]
    if after.code != before.code:
        found[files.PROGRAMS] = [_changed(line, _program, after) for line in lines[files.PROGRAMS]]
    if after.verifiers != before.verifiers:
        found[files.CODE_VERIFIERS] = [_changed(line, _verifier, after) for line in lines[files.CODE_VERIFIERS]]
    if after.solutions:
        found[files.SOLUTIONS] = [json.dumps(_solution(after, task)) for task in after.solutions]
    return found


def _read(index: Index, file: str, line: Line) -> str:
    with open_regular(index.paths[file]) as opened:
        opened.seek(line.offset)
        return opened.read(line.length).decode().strip()


def _changed(line: str, change: Callable[[dict[str, Any], AwmScenario], None], after: AwmScenario) -> str:
    row = json.loads(line)
    change(row, after)
    return line if row == json.loads(line) else json.dumps(row)


def _inserts(row: dict[str, Any], after: AwmScenario) -> None:
    for table, told in zip(row["sample_data"]["tables"], after.inserts, strict=True):
        table["insert_statements"] = list(told.insert_statements)
    if "inserts_count" in row:
        row["inserts_count"] = sum(len(table.insert_statements) for table in after.inserts)


def _paths(row: dict[str, Any], after: AwmScenario) -> None:
    endpoints = [endpoint for group in row["api_spec"]["api_groups"] for endpoint in group.get("endpoints") or ()]
    for endpoint, told in zip(endpoints, after.endpoints, strict=True):
        endpoint["path"] = told.path


def _program(row: dict[str, Any], after: AwmScenario) -> None:
    row["full_code"] = after.code


def _verifier(row: dict[str, Any], after: AwmScenario) -> None:
    if row["task_idx"] in after.verifiers:  # a malformed one says nothing
        row["verification"]["code"] = after.verifiers[row["task_idx"]]["code"]


def _solution(after: AwmScenario, task: int) -> dict[str, Any]:
    calls, answer = after.solutions[task]
    told = [{"name": call.name, "arguments": call.arguments} for call in calls]
    return {"scenario": after.title, "task_idx": task, "calls": told, "answer": answer}
