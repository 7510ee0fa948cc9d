"""The chat author: fills a draft by asking a language model, one form after the other."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from awm_gym.errors import shown, unknown
from awm_gym.scenario import Tool
from awm_gym.synth import filled, views
from awm_gym.synth.asking import Asker, Interview, Question, named
from awm_gym.synth.briefs import Brief
from awm_gym.synth.draft import Draft, Stage, Written, blame
from awm_gym.synth.forms import (
    DataForm,
    GoalForm,
    InterfaceForm,
    ProofForm,
    SchemaForm,
    ScriptForm,
    ScriptsForm,
    Unfit,
    WhoForm,
    WishesForm,
    edited,
)
from awm_gym.synth.looks import Looks, Worlds, answered
from awm_gym.synth.prompts import rendered

MAX_PARTS = 12  # of long data
_GROUP = 6  # tools whose SQL is written at once


@dataclass(frozen=True)
class Wants:
    """The size of what is asked for.

    Attributes:
        tasks: tasks of a scenario.
        infeasible: of these, how many cannot be done.
        tables, rows: about how many.
        tools: about how many; `least_tools` at least.
        invariants: at least.
    """

    tasks: int = 10
    infeasible: int = 1
    tables: str = "8 to 16"
    rows: int = 150
    tools: int = 35
    least_tools: int = 20
    invariants: int = 4


@dataclass
class ChatAuthor:
    """Writes a scenario by asking a language model.

    Args:
        asker: who is asked.
        brief: what the application is to be.
        wants: its size.
    """

    asker: Asker
    brief: Brief
    wants: Wants = field(default_factory=Wants)

    name = "chat"
    mends = True

    def __post_init__(self) -> None:
        self._interview = Interview(self.asker)
        self._kinds: dict[str, str] = {}
        self._goals: dict[str, GoalForm] = {}
        self._specs: dict[str, Tool] = {}
        self._groups: dict[str, str] = {}
        self._scripts: dict[str, ScriptForm] = {}

    def write(self, draft: Draft, stage: Stage, findings: tuple[str, ...]) -> Written:
        """The draft with the fields of a stage as the model writes them, or what is wrong with its answer.

        Raises:
            ModelError: the model cannot be asked.
            BudgetSpent: no more may be asked.
        """
        return getattr(self, f"_write_{stage.name}")(draft, findings)  # type: ignore[no-any-return]

    # The stages -------------------------------------------------------------------------------------------------------

    def _write_scenario(self, draft: Draft, findings: tuple[str, ...]) -> Written:
        brief = self.brief
        prompt = rendered(
            "scenario",
            name=brief.name,
            title=brief.title,
            category=brief.category,
            summary=brief.description,
            example=views.shown(filled.who(views.example())),
        )
        return self._interview.whole(
            draft, Question("scenario", "-", prompt, WhoForm), findings, lambda form: form.fields()
        )

    def _write_tasks(self, draft: Draft, findings: tuple[str, ...]) -> Written:
        prompt = rendered(
            "tasks",
            context=views.context(draft),
            count=str(self.wants.tasks),
            infeasible=views.count(self.wants.infeasible),
            example=views.shown(filled.wishes(views.example())),
        )

        def made(form: WishesForm) -> dict[str, Any]:
            names = [wish.name for wish in form.tasks]
            if wrong := [name for name in names if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name)]:
                raise Unfit(f"{shown(wrong[0])} is no name of a task; write it in snake_case, 40 characters at most")
            if twice := [name for name, count in Counter(names).items() if count > 1]:
                raise Unfit(f"two tasks have the name {twice[0]}")
            if len(names) < self.wants.tasks:
                raise Unfit(f"there are {len(names)} tasks; {self.wants.tasks} are asked for")
            wishes = form.tasks[: self.wants.tasks]
            self._kinds = {wish.name: wish.kind for wish in wishes}
            return {"wishes": tuple((wish.name, wish.instruction) for wish in wishes)}

        return self._interview.whole(draft, Question("tasks", "-", prompt, WishesForm), findings, made)

    def _write_schema(self, draft: Draft, findings: tuple[str, ...]) -> Written:
        prompt = rendered(
            "schema",
            context=views.context(draft),
            wishes=views.wishes(draft),
            tables=self.wants.tables,
            invariants=str(self.wants.invariants),
            example=views.shown(filled.schema(views.example())),
        )
        return self._interview.whole(
            draft,
            Question("schema", "-", prompt, SchemaForm),
            findings,
            lambda form: {"db_schema": _lines(form.schema_sql), "invariants": _lines(form.invariants_sql)},
        )

    def _write_data(self, draft: Draft, findings: tuple[str, ...]) -> Written:
        prompt = rendered(
            "data",
            context=views.context(draft),
            wishes=views.wishes(draft),
            schema=draft.db_schema,
            invariants=draft.invariants,
            rows=str(self.wants.rows),
            example=views.shown(filled.data(views.example())),
        )
        parts: list[DataForm] = []

        def further(form: DataForm) -> str:
            parts.append(form)
            return "Go on with the next part." if form.more else ""

        def made(form: DataForm) -> dict[str, Any]:
            if form.more:
                raise Unfit(f"there are more than {len(parts)} parts; write fewer rows, or more of them in a part")
            sql = draft.data if form.edits else _lines("\n".join(one.sql for one in parts))
            remembered(form, sql)
            if form.edits:
                sql = edited(sql, form.edits, "edits")
                remembered(form, sql)
            assert draft.user is not None  # of a stage before
            return {"data": sql, "user": form.user(draft.user)}

        def remembered(form: DataForm, sql: str) -> None:
            """Who is told what is wrong sees the data whole, and not the last part or the last edits."""
            whole = DataForm(user_table=form.user_table, user_id=form.user_id, sql=sql, more=False, edits=[])
            self._interview.said["data", "-"] = whole.model_dump_json()

        question = Question("data", "-", prompt, DataForm, further)
        return self._interview.whole(draft, question, findings, made, looks=MAX_PARTS, edits=bool(draft.data))

    def _write_goals(self, draft: Draft, findings: tuple[str, ...]) -> Written:
        world = Looks(replace(draft, tools=(), tasks=()))
        questions = [
            Question(
                "goals",
                name,
                rendered(
                    "goals",
                    context=views.context(draft),
                    schema=draft.db_schema,
                    data=draft.data,
                    example=views.example_task(filled.goal),
                    name=name,
                    kind=self._kinds.get(name, "mixed"),
                    instruction=instruction,
                ),
                GoalForm,
                world.look,
            )
            for name, instruction in _concerned(draft, findings)
        ]
        tasks = {task.name: task for task in draft.tasks}
        wishes = dict(draft.wishes)

        def made(name: str, form: GoalForm) -> None:
            tasks[name] = form.task(name, wishes[name])
            self._goals[name] = form

        slips = self._interview.each(draft, questions, findings, made)
        return Written(replace(draft, tasks=tuple(tasks[name] for name in wishes if name in tasks)), slips)

    def _write_interface(self, draft: Draft, findings: tuple[str, ...]) -> Written:
        prompt = rendered(
            "interface",
            context=views.context(draft),
            schema=draft.db_schema,
            wishes=views.wishes(draft),
            count=str(self.wants.tools),
            least=str(self.wants.least_tools),
            example=views.shown(filled.interface(list(views.example().tools.values())[:2])),
        )

        def made(form: InterfaceForm) -> dict[str, Any]:
            tools = [spec.tool() for spec in form.tools]
            names = [tool.name for tool in tools]
            if twice := [name for name, count in Counter(names).items() if count > 1]:
                raise Unfit(f"two tools have the name {twice[0]}")
            if len(names) < self.wants.least_tools:
                raise Unfit(f"there are {len(names)} tools; write at least {self.wants.least_tools}")
            self._specs = {tool.name: tool for tool in tools}
            self._scripts = {}
            self._groups = {name: f"group_{place // _GROUP + 1}" for place, name in enumerate(names)}
            return {"tools": tuple(tools), "notes": tuple((spec.name, spec.note()) for spec in form.tools)}

        return self._interview.whole(draft, Question("interface", "-", prompt, InterfaceForm), findings, made)

    def _write_tools(self, draft: Draft, findings: tuple[str, ...]) -> Written:
        blamed = {blame(draft, finding).item for finding in findings}
        wanted = [tool for tool in draft.tools if not findings or "" in blamed or tool.name in blamed]
        groups: dict[str, list[Tool]] = {}
        for tool in wanted:
            groups.setdefault(self._groups[tool.name], []).append(tool)
        notes = dict(draft.notes)
        questions = [
            Question(
                "tools",
                group,
                rendered(
                    "tools",
                    context=views.context(draft),
                    schema=draft.db_schema,
                    invariants=draft.invariants,
                    data=draft.data,
                    overview="\n".join(f"- {tool.name}: {tool.description}" for tool in draft.tools),
                    example=views.shown(filled.scripts([views.example_write()])),
                    specifications="\n\n".join(
                        views.manual(self._specs[tool.name], notes.get(tool.name, "")) for tool in tools
                    ),
                ),
                ScriptsForm,
            )
            for group, tools in groups.items()
        ]
        done = {tool.name: tool for tool in draft.tools}
        counts: dict[str, list[int]] = {}
        slips: list[str] = []

        def made(group: str, form: ScriptsForm) -> None:
            scripts = {script.name: script for script in form.tools}
            self._scripts |= scripts
            known = [self._scripts[name] for name, of in self._groups.items() if of == group and name in self._scripts]
            # A repair is shown the whole group, also what was written before.
            self._interview.said["tools", group] = ScriptsForm(tools=known).model_dump_json()
            for name in (tool.name for tool in groups[group]):
                try:
                    if name not in scripts:
                        raise Unfit(f"{name}: is missing in the answer")
                    done[name] = scripts[name].tool(self._specs[name])
                    counts[name] = [example.rows for example in scripts[name].examples]
                except Unfit as error:
                    slips.append(named(name, str(error)))

        members = {group: [tool.name for tool in tools] for group, tools in groups.items()}
        slips += self._interview.each(draft, questions, findings, made, members=members)
        worlds = Worlds(replace(draft, tasks=()), [done[name] for name in counts])
        for name in counts:
            try:
                done[name] = answered(worlds.of(done[name]), done[name], counts[name])
            except Unfit as error:
                slips.append(str(error))
        worlds.close()
        return Written(replace(draft, tools=tuple(done[tool.name] for tool in draft.tools)), tuple(slips))

    def _write_verifiers(self, draft: Draft, findings: tuple[str, ...]) -> Written:
        faults = tuple(finding for finding in findings if blame(draft, finding).stage == "tools")
        if faults:
            draft, slips = self._write_tools(draft, faults)
            if slips or len(faults) == len(findings):
                return Written(draft, slips)
        rest = tuple(finding for finding in findings if finding not in faults)
        world = Looks(draft)
        tasks = {task.name: task for task in draft.tasks}
        wishes = dict(draft.wishes)
        questions = [
            Question(
                "verifiers",
                name,
                rendered(
                    "verifiers",
                    context=views.context(draft),
                    schema=draft.db_schema,
                    data=draft.data,
                    manual="\n\n".join(map(views.manual, draft.tools)),
                    example=views.example_task(filled.proof),
                    name=name,
                    instruction=instruction,
                    goal=views.shown(self._goals[name]),
                ),
                ProofForm,
                world.seen_from(tasks[name]),
            )
            for name, instruction in _concerned(draft, rest)
        ]
        complaints: list[str] = []
        known = {tool.name for tool in draft.tools}

        def made(name: str, form: ProofForm) -> None:
            if form.tool_faults:
                for one in form.tool_faults:
                    if one.tool not in known:
                        raise Unfit(unknown("tool", one.tool, known))
                    complaints.append(f"{one.tool}: {one.fault} (found while solving {name})")
                    complaints.append(f"{name}: waits for {one.tool} to be mended")
                return
            if form.goal is not None:
                self._goals[name] = form.goal
            if form.wording.strip():
                wishes[name] = form.wording
            tasks[name] = self._goals[name].task(name, wishes[name], form)

        slips = self._interview.each(draft, questions, rest, made)
        proved = tuple(tasks[name] for name in wishes if name in tasks)
        written = replace(draft, wishes=tuple(wishes.items()), tasks=proved)
        return Written(written, (*complaints, *slips))


def _concerned(draft: Draft, findings: tuple[str, ...]) -> Iterable[tuple[str, str]]:
    """The tasks that findings concern; all of them if there is none, or one that names none."""
    names = {blame(draft, finding).item for finding in findings}
    return [wish for wish in draft.wishes if not findings or "" in names or wish[0] in names]


def _lines(sql: str) -> str:
    """SQL as a file holds it."""
    text = sql.replace("\r\n", "\n").strip("\n")
    return text + "\n" if text else ""
