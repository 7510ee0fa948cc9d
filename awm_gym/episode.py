"""Episodes as values: what happened, step by step; one JSON line each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from awm_gym.arguments import Mistake, read_call
from awm_gym.errors import UsageError, shown
from awm_gym.scenario import ToolCall


@dataclass(frozen=True)
class Step:
    """One action and what the environment made of it.

    Attributes:
        action: the tool call as a JSON object, or whatever the policy emitted in its stead, as text.
        observation: what the agent read next.
        error_kind: the kind of the error, "" if the call succeeded.
        reward: what this step paid.
    """

    action: Mapping[str, Any] | str
    observation: str
    error_kind: str
    reward: float


@dataclass(frozen=True)
class Episode:
    """One episode.

    Attributes:
        scenario: name of the scenario.
        task: name of the task.
        policy: who acted.
        road: how calls reached the tools.
        instruction: the first observation.
        steps: what happened.
        reward: the sum of the rewards.
        outcome: "solved", "failed", "gave_up", "malformed", "truncated", or "void" if the machinery failed.
        explanation: the verdict in words, "" if there is none.
    """

    scenario: str
    task: str
    policy: str
    road: str
    instruction: str
    steps: tuple[Step, ...]
    reward: float
    outcome: str
    explanation: str = ""

    def to_json(self) -> str:
        """The episode as one line of JSON."""
        text = json.dumps(asdict(self), ensure_ascii=False)
        return text.encode("utf-8", "backslashreplace").decode()  # lone surrogates, escaped as JSON escapes them

    @classmethod
    def from_json(cls, line: str) -> Episode:
        """An episode from its line.

        Raises:
            UsageError: the line is torn, or no episode.
        """
        try:
            document = json.loads(line)
            steps = tuple(Step(**step) for step in document.pop("steps"))
            return cls(steps=steps, **document)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UsageError(f"That is no episode ({error}): {shown(line)}") from error


def as_action(action: Any) -> Mapping[str, Any] | str:
    """An action as an episode keeps it."""
    kind = type(action)
    if issubclass(kind, str):
        return str(action)
    call = read_call(action) if issubclass(kind, ToolCall) else None
    if isinstance(call, ToolCall):
        return {"name": call.name, "arguments": call.arguments}
    return shown([*action] if isinstance(call, Mistake) else action, 2_000)


def written(action: object) -> str:
    """An action as people read it: `move_parcel(parcel_id=103, locker_id=2)`."""
    if issubclass(type(action), str):
        return shown(str(action), 200)
    kept = as_action(action)
    if isinstance(kept, str):
        return kept[:200]
    return f"{kept['name']}({', '.join(f'{key}={value!r}' for key, value in kept['arguments'].items())})"
