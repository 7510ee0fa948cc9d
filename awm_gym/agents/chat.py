"""A language model as the policy: it acts by calling the tools that the environment offers."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast

from awm_gym.agents.scripted import emptiest
from awm_gym.arguments import Mistake, read_call
from awm_gym.llm import Call, Message, Said, Usage
from awm_gym.scenario import SUBMIT, ToolCall

_RULES = """\
You act for the user of an application. Its tools are all you have: with them you see what is there and change it, \
and nobody reads or answers what you write beside them.

- Look before you write. Take ids and values from the user's words and from what the tools answer; never guess them.
- Change what the user asks for and nothing else.
- Call one tool at a time, and read its answer before the next call. A call that is answered with an error has changed \
nothing.
- When everything is done, call submit, with the answer if it takes one. If the task cannot be done, change nothing \
and call give_up with the reason. Either of them ends your work."""
_REMINDER = "You have called no tool. Go on with a call; to end, call submit, or give_up if the task cannot be done."
_NO_WORDS = "(no words)"  # some servers refuse a message that is empty


class Talker(Protocol):
    """What the policy needs of `awm_gym.llm.Model`."""

    def talk(
        self,
        scenario: str,
        stage: str,
        messages: Sequence[Message],
        tools: Sequence[Mapping[str, Any]],
        number: int = 0,
    ) -> Said:
        """What the model says or calls next in a conversation."""


class Chat:
    """Lets a language model act, by calls of function tools.

    With every question goes the whole conversation; nothing is cut out of it, so that the model must have room for an
    episode. Several calls in one answer are played one after the other.

    A model that calls nothing is reminded once. If it then calls nothing again, the policy submits for it, with the
    emptiest answer where one is asked for: what it has brought about is judged, and no answer is found for it. To give
    up for it would solve, by silence, a task that cannot be done.

    Args:
        model: who is asked.
        stage: under which the ledger has it; a stage may have a model of its own.
        number: which of several attempts at a task this is: each is answered, and kept, by itself.

    Attributes:
        usage: the tokens of the episode so far, also of answers that were kept from earlier.
    """

    name = "chat"

    def __init__(self, model: Talker, *, stage: str = "solve", number: int = 0) -> None:
        self._model, self._stage, self._number = model, stage, number
        self.usage = Usage()
        self._scenario = ""
        self._tools: list[dict[str, Any]] = []
        self._messages: list[Message] = []
        self._calls: deque[Call] = deque()  # of the latest answer, still to be played
        self._playing: Call | None = None  # whose result the next observation is
        self._submit = ToolCall(SUBMIT, {})

    def start(self, observation: str, info: dict[str, Any]) -> None:
        """Begin a conversation, with the tools of the episode."""
        self.usage = Usage()
        self._scenario = info["scenario"]
        self._tools = [_function_tool(tool) for tool in info["tools"]]
        self._messages = [{"role": "system", "content": _RULES}]
        self._calls, self._playing = deque(), None
        schema = next(tool["input_schema"] for tool in info["tools"] if tool["name"] == SUBMIT)
        self._submit = ToolCall(SUBMIT, emptiest(schema))

    def act(self, observation: str) -> ToolCall:
        """The model's next call.

        Arguments that cannot be read are handed on as they stand, for the environment to answer.

        Raises:
            ModelError: the server refuses, or cannot be reached.
            BudgetSpent: the budget is spent.
        """
        self._messages.append(self._heard(observation))
        if not self._calls:
            self._calls.extend(self._next_calls())
        self._playing = self._calls.popleft() if self._calls else None
        return _action(self._playing) if self._playing else self._submit

    def _heard(self, observation: str) -> Message:
        if self._playing is None:
            return {"role": "user", "content": observation}
        return {"role": "tool", "tool_call_id": self._playing.id, "content": observation}

    def _next_calls(self) -> tuple[Call, ...]:
        """The calls of the model's next answer; none if it calls nothing though reminded."""
        calls = self._ask()
        if not calls:
            self._messages.append({"role": "user", "content": _REMINDER})
            calls = self._ask()
        return calls

    def _ask(self) -> tuple[Call, ...]:
        said = self._model.talk(self._scenario, self._stage, self._messages, self._tools, self._number)
        self.usage = self.usage.plus(said.usage)
        self._messages.append(_answer(said))
        return said.calls


def _function_tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    """A tool of the environment in OpenAI's form."""
    function = {"name": tool["name"], "description": tool["description"], "parameters": tool["input_schema"]}
    return {"type": "function", "function": function}


def _answer(said: Said) -> Message:
    """What the model said, as a message of the conversation."""
    if not said.calls:
        return {"role": "assistant", "content": said.text or _NO_WORDS}
    calls = [{"id": call.id, "type": "function", "function": _remembered(call)} for call in said.calls]
    return {"role": "assistant", "content": said.text or None, "tool_calls": calls}


def _remembered(call: Call) -> dict[str, str]:
    """A call as the conversation shows it.

    Some servers read the arguments of earlier calls, and refuse the whole conversation if they are no JSON object: so
    what cannot be read is shown within one.
    """
    arguments = call.arguments
    if isinstance(_read(call), Mistake):
        arguments = json.dumps({"unreadable": arguments})
    return {"name": call.name, "arguments": arguments}


def _action(call: Call) -> ToolCall:
    """A call as the environment takes it; if it cannot be read, as it stands: the environment says what is wrong."""
    read = _read(call)
    if isinstance(read, Mistake):
        return ToolCall(call.name, cast("Mapping[str, Any]", call.arguments))
    return read


def _read(call: Call) -> ToolCall | Mistake:
    return read_call({"name": call.name, "arguments": call.arguments})
