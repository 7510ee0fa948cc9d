"""A person as the policy: types tool calls at a terminal."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from awm_gym.errors import AwmError, printable, unknown
from awm_gym.scenario import ToolCall

_HELP = "Type a tool's name (Tab completes it), then its arguments are asked for; or all at once: tool name=value ..."


class Stopped(AwmError):
    """The person left: end of input."""


class Human:
    """Asks a person for each call, and shows what it gave.

    Args:
        console: where to show things.
        ask: reads one line, given a prompt; raises EOFError at the end of input.
        complete: told the words that Tab may complete; by default nothing completes.
    """

    name = "human"

    def __init__(
        self,
        console: Console,
        ask: Callable[[str], str] = input,
        complete: Callable[[list[str]], None] = lambda words: None,
    ) -> None:
        self._console, self._ask, self._complete = console, ask, complete
        self._tools: dict[str, dict[str, Any]] = {}
        self._first = True

    def start(self, observation: str, info: dict[str, Any]) -> None:
        """Show the instruction."""
        self._tools = {tool["name"]: tool for tool in info["tools"]}
        self._complete(sorted(self._tools))
        self._first = True
        self._console.print(Text(printable(observation), style="bold"))
        self._console.print(Text(f"{_HELP}. ? lists the {len(self._tools)} tools.", style="dim"))

    def act(self, observation: str) -> ToolCall:
        """Show the latest observation and ask for a call.

        Raises:
            Stopped: the input has ended.
        """
        if not self._first:
            show_result(self._console, observation)
        self._first = False
        while True:
            call = self._read(self._line("tool> "))
            if call is not None:
                return call

    def _line(self, prompt: str) -> str:
        try:
            return self._ask(prompt)
        except (EOFError, UnicodeDecodeError):
            raise Stopped("stopped: the input has ended") from None

    def _read(self, line: str) -> ToolCall | None:
        """A call from a line, or None if it was something else (help, a slip) that was answered."""
        name, _, rest = line.strip().partition(" ")
        if not name:
            return None
        if name == "?":
            self._help(rest.strip())
            return None
        if name not in self._tools:
            self._say(unknown("tool", name, self._tools))
            return None
        schema = self._tools[name]["input_schema"]
        given = self._inline(rest.strip(), schema)
        if given is None:
            return None
        asked = schema["properties"] if not given else schema["required"]
        for key in asked:
            if key not in given:
                value = self._argument(key, schema["properties"][key], required=key in schema["required"])
                if value is not None:
                    given[key] = value
        return ToolCall(name, given)

    def _inline(self, rest: str, schema: dict[str, Any]) -> dict[str, Any] | None:
        """Arguments written behind the tool's name: JSON, or name=value pairs."""
        try:
            if rest.startswith("{"):
                found = json.loads(rest)
                return found if isinstance(found, dict) else {}
            pairs = [word.partition("=") for word in shlex.split(rest)]
        except (ValueError, RecursionError) as error:
            self._say(f"That cannot be read: {error}.")
            return None
        if bad := [key for key, sign, _ in pairs if not sign]:
            self._say(f"{bad[0]!r} is not name=value.")
            return None
        return {key: typed(value, schema["properties"].get(key, {})) for key, _, value in pairs}

    def _argument(self, key: str, schema: dict[str, Any], *, required: bool) -> Any:
        named = schema.get("format", schema.get("type", "JSON"))
        kind = "/".join(map(str, schema["enum"])) if "enum" in schema else named
        note = "" if required else ", empty: leave it out"
        self._console.print(Text(f"  {schema.get('description', '')}", style="dim"))
        text = self._line(f"  {key} ({kind}{note}): ")
        return typed(text, schema) if text or required else None

    def _help(self, name: str) -> None:
        if name in self._tools:
            self._console.print_json(data=self._tools[name])
            return
        table = Table(box=None, padding=(0, 2, 0, 0))
        table.add_column("tool", style="cyan", no_wrap=True)
        table.add_column("what it does")
        for tool in self._tools.values():
            table.add_row(Text(tool["name"]), Text(tool["description"]))
        self._console.print(table)

    def _say(self, text: str) -> None:
        self._console.print(Text(printable(text), style="yellow"))


def typed(text: str, schema: dict[str, Any]) -> Any:
    """What a person typed, as the type that the schema asks for; as it stands if it is not of that type."""
    kind = schema.get("type")
    if kind == "array" and not text.lstrip().startswith("["):
        return [typed(part.strip(), schema["items"]) for part in text.split(",") if part.strip()]
    if kind == "boolean":
        return {"yes": True, "y": True, "true": True, "no": False, "n": False, "false": False}.get(text.lower(), text)
    if kind in ("integer", "number", "array", "object") or "anyOf" in schema:
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text


def show_result(console: Console, text: str) -> None:
    """Show a tool's answer: rows as a table, all else as it is."""
    try:
        document = json.loads(text)
    except ValueError:
        console.print(Text(printable(text), style="red"))
        return
    rows = document.get("rows") if isinstance(document, dict) and "total_rows" in document else document
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        console.print(Text(printable(json.dumps(document, ensure_ascii=False, indent=1))))
        return
    if not rows:
        console.print(Text("no rows", style="dim"))
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    columns = list(dict.fromkeys(name for row in rows for name in row))
    for name in columns:
        table.add_column(Text(printable(name)))
    for row in rows:
        found = [row.get(name) for name in columns]
        table.add_row(*(Text("" if cell is None else printable(str(cell))) for cell in found))
    if console.measure(table, options=console.options.update(width=10_000)).maximum <= console.width:
        console.print(table)
    else:  # too wide: a paragraph a row
        for row in rows:
            cells = ", ".join(f"{name} {cell}" for name, cell in row.items() if cell is not None)
            console.print(Text(f"- {printable(cells)}"))
    if isinstance(document, dict):
        console.print(Text(f"{document['total_rows']} rows in all; {len(rows)} are shown", style="dim"))
