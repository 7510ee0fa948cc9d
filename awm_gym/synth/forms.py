"""What a language model fills in, stage by stage, and how it becomes a part of a draft.

Forms have no free keys: they are sent as strict JSON Schemas, in which every field is required. What the format
leaves open (arguments of a call) is JSON in a text. A form that makes no part of a scenario is `Unfit`, in words for
whoever filled it in.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from awm_gym.errors import AwmError, ScenarioError, shown
from awm_gym.files import validated
from awm_gym.scenario import (
    Answer,
    Changes,
    Example,
    Infeasible,
    MayChange,
    Param,
    Refusal,
    Task,
    Tool,
    ToolCall,
    User,
)

Plain = str | int | float | bool
Kind = Literal["string", "integer", "number", "boolean", "date", "datetime"]
_V = TypeVar("_V")


class Unfit(AwmError):
    """A form is filled in, but makes no part of a scenario."""


class Form(BaseModel):
    """Base of all forms: closed, frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


# Scenario and tasks ---------------------------------------------------------------------------------------------------


class WhoForm(Form):
    """The stage `scenario`."""

    title: str = Field(description="The application, in a few words.")
    description: str = Field(description="What it keeps and by which rules, as its users know it; agents read this.")
    now: str = Field(description="The moment at which everything happens, YYYY-MM-DDTHH:MM:SS.")
    user_name: str = Field(description="Full name of the person whom the agent acts for.")
    user_role: str = Field(description="What that person is there, such as: receptionist.")

    def fields(self) -> dict[str, Any]:
        """The fields of the draft."""
        try:
            now = datetime.fromisoformat(self.now)
        except ValueError:
            raise Unfit(f"now: {shown(self.now)} is not a moment; write it as 2025-06-12T09:40:00") from None
        user = _valid(User, {"name": self.user_name, "role": self.user_role}, "user")
        return {"title": self.title, "description": self.description, "now": now, "user": user}


class WishForm(Form):
    """One task, in words."""

    name: str = Field(description="snake_case, at most 40 characters, such as: move_the_late_order.")
    kind: Literal["read", "write", "mixed", "multi_step", "infeasible"]
    instruction: str = Field(description="What the user asks for, in the user's words.")


class WishesForm(Form):
    """The stage `tasks`."""

    tasks: list[WishForm]


# Schema and data ------------------------------------------------------------------------------------------------------


class EditForm(Form):
    """A piece of what was written before, and what stands in its place."""

    old: str = Field(description="Exactly as it stands there, once.")
    new: str


def edited(text: str, edits: Sequence[EditForm], place: str) -> str:
    """A text with pieces replaced.

    Raises:
        Unfit: a piece does not stand there exactly once.
    """
    for edit in edits:
        if text.count(edit.old) != 1:
            raise Unfit(f"{place}: {shown(edit.old)} stands there {text.count(edit.old)} times, not once")
        text = text.replace(edit.old, edit.new)
    return text


class SchemaForm(Form):
    """The stage `schema`."""

    schema_sql: str = Field(description="CREATE TABLE, CREATE VIEW and CREATE INDEX statements.")
    invariants_sql: str = Field(description="SELECTs of rows that must never exist, each under a comment that says so.")


class DataForm(Form):
    """The stage `data`; long data come in several parts."""

    user_table: str = Field(description="The table with the user's row; empty if there is none.")
    user_id: int | str | None = Field(description="The key of the user's row; null if there is none.")
    sql: str = Field(description="INSERT statements, parents before children.")
    more: bool = Field(description="Whether rows are left to be written in another part.")
    edits: list[EditForm] = Field(description="To mend what you wrote, instead of `sql`; empty the first time.")

    def user(self, user: User) -> User:
        """The user, who is now a row."""
        of = self.user_table or None
        return _valid(User, {"name": user.name, "role": user.role, "id": self.user_id, "of": of}, "user")


# Goals ----------------------------------------------------------------------------------------------------------------


class CellForm(Form):
    """A cell of a row."""

    column: str
    value: Plain | None = Field(description='A literal; "@name" is the key of the new row of that name.')
    is_sql: bool = Field(description="Whether `value` is an SQL expression, such as now() or date(now(), '+14 days').")


class RowForm(Form):
    """A row that ends up different."""

    table: str
    change: Literal["changed", "new", "gone"]
    name: str = Field(description="Of a new row: a snake_case name of your own. Empty otherwise.")
    cells: list[CellForm] = Field(description="The key, and the columns that end up different or are not the default.")

    def document(self) -> dict[str, Any]:
        """The row as it stands in tasks.toml."""
        cells = {cell.column: {"sql": str(cell.value)} if cell.is_sql else cell.value for cell in self.cells}
        if null := [column for column, value in cells.items() if value is None]:
            raise Unfit(f"{self.table}.{null[0]}: write null as an SQL expression: value 'NULL', is_sql true")
        marks: dict[str, dict[str, Any]] = {"changed": {}, "new": {"new": self.name}, "gone": {"gone": True}}
        return {**cells, **marks[self.change]}


class EndForm(Form):
    """One acceptable end: what differs, and nothing else does."""

    rows: list[RowForm]
    free: list[str] = Field(
        description='Tables to which any rows may be added, "table.column"s that may hold anything.'
    )

    def changes(self) -> Changes:
        """The end state."""
        rows: dict[str, list[dict[str, Any]]] = {}
        for row in self.rows:
            rows.setdefault(row.table, []).append(row.document())
        return _valid(Changes, {**rows, **({"any": self.free} if self.free else {})}, "ends")


class FieldForm(Form):
    """A field of a record."""

    name: str
    type: Kind


class AnswerForm(Form):
    """The type of an answer."""

    type: Kind | Literal["list", "record", "list_of_records"]
    items: Kind | None = Field(description="Of a list: the type of its items; null otherwise.")
    fields: list[FieldForm] = Field(description="Of records; empty otherwise.")
    ordered: bool = Field(description="Of lists: whether the order counts.")
    tolerance: float | None = Field(description="Of numbers: the largest difference that still counts as equal.")

    def answer(self) -> Answer:
        """The type."""
        record = {"type": "record", "fields": {field.name: {"type": field.type} for field in self.fields}}
        document: dict[str, Any] = {"type": self.type}
        if self.type in ("list", "list_of_records"):
            items = record if self.type == "list_of_records" else {"type": self.items}
            document = {"type": "list", "items": items, **({} if self.ordered else {"ordered": False})}
        elif self.type == "record":
            document = record
        elif self.type == "number" and self.tolerance is not None:
            document["tolerance"] = self.tolerance
        return _valid(Answer, document, "answer")


class CheckForm(Form):
    """A condition on the end."""

    name: str
    sql: str = Field(description="A boolean SQL expression over the final tables, before.<table> and :answer.")


class AllowedForm(Form):
    """Rows that may differ."""

    table: str
    rows: str = Field(description="SQL that is true of the rows that may differ.")
    columns: list[str] = Field(description="The columns that may; empty for all.")

    def allowance(self) -> MayChange:
        """The allowance."""
        return _valid(MayChange, {"rows": self.rows, "columns": self.columns}, f"may_change.{self.table}")


class GoalForm(Form):
    """The stage `goals`: what is expected of one task."""

    look: list[str] = Field(description="SELECTs whose rows you want to see first; then leave the rest empty.")
    given: str = Field(description="SQL run when the task starts, to prepare it; empty if the data will do.")
    answer: AnswerForm | None = Field(description="The type of the answer that is asked for; null if none is.")
    expect: str = Field(description="The SELECT that answers it; empty without an answer.")
    ends: list[EndForm] = Field(description="What ends up different; several are alternatives; none if nothing is.")
    checks: list[CheckForm] = Field(description="Only for what `ends` cannot say; usually none.")
    may_change: list[AllowedForm] = Field(description="Only with checks; usually none.")
    obstacle: str = Field(description="Of an infeasible task: why it cannot be done; empty otherwise.")
    lifted_by: str = Field(description="Of an infeasible task: SQL that removes the obstacle; empty otherwise.")

    def task(self, name: str, instruction: str, proof: ProofForm | None = None) -> Task:
        """The task; without its calls if they are not yet written."""
        values: dict[str, Any] = {
            "name": name,
            "instruction": instruction,
            "given": self.given if self.given.strip() else None,
            "answer": self.answer and self.answer.answer(),
            "expect": self.expect if self.expect.strip() else None,
            "changes": [end.changes() for end in self.ends],
            "checks": {check.name: check.sql for check in self.checks},
            "may_change": {one.table: one.allowance() for one in self.may_change},
            "solution": proof.calls(proof.solution, "solution") if proof else (),
        }
        if self.obstacle:
            shown_by = proof.calls(proof.shown_by, "shown_by") if proof else ()
            document = {"why": self.obstacle, "lifted_by": self.lifted_by, "shown_by": shown_by}
            values["infeasible"] = _valid(Infeasible, document, "obstacle")
        if proof:
            values["derived"] = {one.value: one.how for one in proof.derived}
            values["near_misses"] = {one.name: proof.calls(one.calls, one.name) for one in proof.near_misses}
        return _valid(Task, values, "")


# Tools ----------------------------------------------------------------------------------------------------------------


class LimitForm(Form):
    """A bound of an argument."""

    name: Literal["minimum", "maximum", "min_length", "max_length", "min_items", "max_items", "unique"]
    value: float = Field(description="The bound; 1 for `unique`.")


class ParamForm(Form):
    """One argument of a tool."""

    name: str
    type: Kind | Literal["array"]
    items: Kind | None = Field(description="Of an array: the type of its items; null otherwise.")
    description: str
    optional: bool = Field(description="Whether it may be left out; it then binds NULL, or `default`.")
    default: Plain | None
    of: str = Field(description='The table, or "table.column", of which it must be a key; empty if it is no key.')
    where: str = Field(description="With `of`: SQL that must hold of that row, such as status = 'open'; else empty.")
    noun: str = Field(description="With `where`: what people call such a row, such as: open order; else empty.")
    one_of: list[Plain] = Field(description="All values it may have; empty if it is free.")
    limits: list[LimitForm]

    def param(self) -> Param:
        """The argument."""
        limits: dict[str, Any] = {one.name: one.value for one in self.limits}
        for name, value in limits.items():
            whole = name not in ("minimum", "maximum") or "number" not in (self.type, self.items)
            limits[name] = bool(value) if name == "unique" else int(value) if whole and value == int(value) else value
        values: dict[str, Any] = {"type": self.type, "description": self.description, **limits}
        more = {"items": self.items, "default": self.default, "of": self.of, "where": self.where, "noun": self.noun}
        values |= {key: value for key, value in more.items() if value not in (None, "")}
        if self.one_of:
            values["enum"] = self.one_of
        if self.optional and self.default is None:
            values["optional"] = True
        return _valid(Param, values, self.name)


class SpecForm(Form):
    """What a tool takes, answers and refuses, before its SQL is written."""

    name: str = Field(description="snake_case, a verb and what it is done to, such as: list_orders.")
    description: str = Field(description="What it does and shows, in words for agents; page size and order too.")
    params: list[ParamForm]
    answers: str = Field(description="The columns of its answer, in order.")
    refuses: list[str] = Field(description="The rules of the application by which it refuses, beside keys of no row.")

    def tool(self) -> Tool:
        """The tool, without its SQL."""
        params = {param.name: param.param() for param in self.params}
        if len(params) < len(self.params):
            raise Unfit(f"{self.name}: two arguments have one name")
        return _valid(
            Tool, {"name": self.name, "description": self.description, "params": params, "sql": ""}, self.name
        )

    def note(self) -> str:
        """What it answers and refuses, in words."""
        return f"answers: {self.answers}" + "".join(f"; refuses: {rule}" for rule in self.refuses)


class InterfaceForm(Form):
    """The stage `interface`."""

    tools: list[SpecForm]


class ExampleForm(Form):
    """A call that is answered."""

    given: str = Field(description="SQL run before it; usually empty.")
    arguments: str = Field(description='A JSON object, such as: {"order_id": 7}')
    rows: int = Field(description="How many rows the answer has, worked out from the data.")


class RefusalForm(Form):
    """A call that is refused."""

    given: str = Field(description="SQL run before it, if the data have no case; else empty.")
    arguments: str = Field(description='A JSON object, such as: {"order_id": 7}')


class ScriptForm(Form):
    """The SQL of a tool."""

    name: str
    description: str = Field(description="Empty to keep the specification's; else a better one.")
    sql: str
    examples: list[ExampleForm]
    refuses: list[RefusalForm] = Field(description="For each refuse() of the SQL a call that only it refuses.")

    def tool(self, spec: Tool) -> Tool:
        """The tool with its SQL. Its examples have no rows yet: `ScriptForm.rows` counts what they must be."""
        values = spec.model_dump(exclude={"examples", "refuses"}) | {"sql": self.sql}
        if self.description.strip():
            values["description"] = self.description
        values["examples"] = [_entry(Example, one, self.name, rows=()) for one in self.examples]
        values["refuses"] = [_entry(Refusal, one, self.name) for one in self.refuses]
        return _valid(Tool, values, self.name)


class ScriptsForm(Form):
    """The stage `tools`: some of them."""

    tools: list[ScriptForm]


# Proofs ---------------------------------------------------------------------------------------------------------------


class CallForm(Form):
    """A call of a tool, of submit or of give_up."""

    tool: str
    arguments: str = Field(description='A JSON object, such as: {"order_id": 7}')


class NearMissForm(Form):
    """What a careless agent would do."""

    name: str = Field(description="snake_case: the mistake, such as: wrong_week.")
    calls: list[CallForm]


class DerivedForm(Form):
    """A value that no result shows as it is."""

    value: str = Field(description="The value, as text.")
    how: str = Field(description="The words of the instruction, or the results, from which it follows.")


class FaultForm(Form):
    """A tool that is wrong."""

    tool: str
    fault: str = Field(description="What it does, and what it should do.")


class ProofForm(Form):
    """The stage `verifiers`: how one task is solved, and almost solved."""

    look: list[str] = Field(description="SELECTs whose rows you want to see first; then leave the rest empty.")
    play: list[CallForm] = Field(description="Calls to see played first; then leave the rest empty.")
    solution: list[CallForm]
    near_misses: list[NearMissForm] = Field(description="At least one.")
    shown_by: list[CallForm] = Field(description="Of an infeasible task: the calls whose answers show the obstacle.")
    derived: list[DerivedForm]
    goal: GoalForm | None = Field(description="What is expected, only if it was wrong; null to keep it.")
    wording: str = Field(description="The instruction in better words, only if they are at fault; empty to keep it.")
    tool_faults: list[FaultForm] = Field(description="Tools that are wrong, if it is they; usually none.")

    def calls(self, calls: Iterable[CallForm], place: str) -> tuple[ToolCall, ...]:
        """The calls."""
        return tuple(ToolCall(call.tool, _arguments(call.arguments, f"{place}: {call.tool}")) for call in calls)


def _arguments(text: str, place: str) -> dict[str, Any]:
    """The arguments that a text holds."""
    try:
        found = json.loads(text or "{}")
    except ValueError as error:
        raise Unfit(f"{place}: the arguments {shown(text)} are no JSON object: {error}") from None
    if not isinstance(found, dict):
        raise Unfit(f"{place}: the arguments {shown(text)} are no JSON object")
    return found


def _entry(model: type[_V], form: ExampleForm | RefusalForm, tool: str, **more: Any) -> _V:
    """An example or a refusal."""
    values = {
        "given": form.given if form.given.strip() else None,
        "arguments": _arguments(form.arguments, tool),
        **more,
    }
    return _valid(model, values, tool)


def _valid(model: type[_V], values: dict[str, Any], place: str) -> _V:
    """A value of the format.

    Raises:
        Unfit: a value is of the wrong kind.
    """
    try:
        found: _V = validated(model, values, "", place)
    except ScenarioError as error:
        raise Unfit(str(error)) from None
    return found
