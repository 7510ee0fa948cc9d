"""The chat author: fills a draft by asking a language model, one form after the other."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, NamedTuple, Protocol, get_args

from awm_gym import places
from awm_gym.arguments import describe
from awm_gym.database import FUNCTIONS
from awm_gym.errors import ScenarioError, Unreadable, shown, unknown
from awm_gym.files import load
from awm_gym.gates import GATES
from awm_gym.llm import Message, Request
from awm_gym.scenario import RESERVED, Example, ScalarType, Scenario, Task, Tool, ToolCall
from awm_gym.synth import filled
from awm_gym.synth.briefs import Brief
from awm_gym.synth.draft import Draft, Stage, Written, blame
from awm_gym.synth.forms import (
    DataForm,
    Form,
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
from awm_gym.synth.prompts import label, rendered
from awm_gym.world import World

MAX_LOOKS = 4  # times that a model may look before it decides
MAX_PARTS = 12  # of long data
_MAX_SHOWN = 40  # rows of a look
_MAX_FINDINGS = 15  # told at once
_MAX_FINDING = 700  # characters of one
_GROUP = 6  # tools whose SQL is written at once
_MODEL = "parcel_lockers"  # the scenario of the library that prompts take their examples from


class Asker(Protocol):
    """Who is asked: a `Model`, or a script."""

    def ask_all(self, requests: Sequence[Request[Any]], /) -> list[Any]:
        """Answers in order: forms, or `Unreadable` where there is none."""


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


class Question(NamedTuple):
    """A form to be filled in.

    Attributes:
        stage, item: of what.
        prompt: in words.
        form: the type of the answer.
        look: shows what the answer asks to see before it decides; "" if it asks for nothing.
    """

    stage: str
    item: str
    prompt: str
    form: type[Form]
    look: Callable[[Any], str] = lambda form: ""


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
        self._said: dict[tuple[str, str], str] = {}  # the last answer to each question
        self._asked: Counter[tuple[str, str]] = Counter()
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
            example=_shown(filled.who(_example())),
        )
        return self._whole(draft, Question("scenario", "-", prompt, WhoForm), findings, lambda form: form.fields())

    def _write_tasks(self, draft: Draft, findings: tuple[str, ...]) -> Written:
        prompt = rendered(
            "tasks",
            context=_context(draft),
            count=str(self.wants.tasks),
            infeasible=_count(self.wants.infeasible),
            example=_shown(filled.wishes(_example())),
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

        return self._whole(draft, Question("tasks", "-", prompt, WishesForm), findings, made)

    def _write_schema(self, draft: Draft, findings: tuple[str, ...]) -> Written:
        prompt = rendered(
            "schema",
            context=_context(draft),
            wishes=_wishes(draft),
            tables=self.wants.tables,
            invariants=str(self.wants.invariants),
            example=_shown(filled.schema(_example())),
        )
        return self._whole(
            draft,
            Question("schema", "-", prompt, SchemaForm),
            findings,
            lambda form: {"db_schema": _lines(form.schema_sql), "invariants": _lines(form.invariants_sql)},
        )

    def _write_data(self, draft: Draft, findings: tuple[str, ...]) -> Written:
        prompt = rendered(
            "data",
            context=_context(draft),
            wishes=_wishes(draft),
            schema=draft.db_schema,
            invariants=draft.invariants,
            rows=str(self.wants.rows),
            example=_shown(filled.data(_example())),
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
            self._said["data", "-"] = whole.model_dump_json()

        question = Question("data", "-", prompt, DataForm, further)
        return self._whole(draft, question, findings, made, looks=MAX_PARTS, edits=bool(draft.data))

    def _write_goals(self, draft: Draft, findings: tuple[str, ...]) -> Written:
        world = _World(replace(draft, tools=(), tasks=()))
        questions = [
            Question(
                "goals",
                name,
                rendered(
                    "goals",
                    context=_context(draft),
                    schema=draft.db_schema,
                    data=draft.data,
                    example=_task_example(filled.goal),
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

        slips = self._each(draft, questions, findings, made)
        return Written(replace(draft, tasks=tuple(tasks[name] for name in wishes if name in tasks)), slips)

    def _write_interface(self, draft: Draft, findings: tuple[str, ...]) -> Written:
        prompt = rendered(
            "interface",
            context=_context(draft),
            schema=draft.db_schema,
            wishes=_wishes(draft),
            count=str(self.wants.tools),
            least=str(self.wants.least_tools),
            example=_shown(filled.interface(list(_example().tools.values())[:2])),
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

        return self._whole(draft, Question("interface", "-", prompt, InterfaceForm), findings, made)

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
                    context=_context(draft),
                    schema=draft.db_schema,
                    invariants=draft.invariants,
                    data=draft.data,
                    overview="\n".join(f"- {tool.name}: {tool.description}" for tool in draft.tools),
                    example=_shown(filled.scripts([_example_write()])),
                    specifications="\n\n".join(_manual(self._specs[t.name], notes.get(t.name, "")) for t in tools),
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
            self._said["tools", group] = ScriptsForm(tools=known).model_dump_json()  # some were written before
            for name in (tool.name for tool in groups[group]):
                try:
                    if name not in scripts:
                        raise Unfit(f"{name}: is missing in the answer")
                    done[name] = scripts[name].tool(self._specs[name])
                    counts[name] = [example.rows for example in scripts[name].examples]
                except Unfit as error:
                    slips.append(_named(name, str(error)))

        members = {group: [tool.name for tool in tools] for group, tools in groups.items()}
        slips += self._each(draft, questions, findings, made, members=members)
        worlds = _Worlds(replace(draft, tasks=()), [done[name] for name in counts])
        for name in counts:
            try:
                done[name] = _answered(worlds.of(done[name]), done[name], counts[name])
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
        world = _World(draft)
        tasks = {task.name: task for task in draft.tasks}
        wishes = dict(draft.wishes)
        questions = [
            Question(
                "verifiers",
                name,
                rendered(
                    "verifiers",
                    context=_context(draft),
                    schema=draft.db_schema,
                    data=draft.data,
                    manual="\n\n".join(map(_manual, draft.tools)),
                    example=_task_example(filled.proof),
                    name=name,
                    instruction=instruction,
                    goal=_shown(self._goals[name]),
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
            tasks[name] = self._goals[name].task(name, wishes[name], form)

        slips = self._each(draft, questions, rest, made)
        written = replace(draft, tasks=tuple(tasks[name] for name in wishes if name in tasks))
        return Written(written, (*complaints, *slips))

    # Asking -----------------------------------------------------------------------------------------------------------

    def _whole(
        self,
        draft: Draft,
        question: Question,
        findings: tuple[str, ...],
        made: Callable[[Any], dict[str, Any]],
        *,
        looks: int = MAX_LOOKS,
        edits: bool = False,
    ) -> Written:
        """The draft with the fields that one form yields."""
        fields: dict[str, Any] = {}
        slips = self._each(
            draft, [question], findings, lambda _, form: fields.update(made(form)), looks=looks, edits=edits
        )
        return Written(replace(draft, **fields), slips)

    def _each(
        self,
        draft: Draft,
        questions: Sequence[Question],
        findings: tuple[str, ...],
        made: Callable[[str, Any], None],
        *,
        members: Mapping[str, Sequence[str]] | None = None,
        looks: int = MAX_LOOKS,
        edits: bool = False,
    ) -> tuple[str, ...]:
        """Ask questions at once, and let each answer be made into a part of the draft.

        Args:
            draft: the draft.
            questions: what to ask.
            findings: what was wrong with the last answers.
            made: takes the item and the form; raises Unfit if it makes nothing.
            members: per item, the names by which findings know its parts; by default its own.
            looks: how often an answer may ask to see something first.
            edits: whether an answer may consist of edits.

        Returns:
            What was wrong with answers: they were no forms, or were Unfit.
        """
        slips: list[str] = []
        names = {question.item: (members or {}).get(question.item, [question.item]) for question in questions}
        talks = {
            question.item: self._talk(draft, question, findings, names[question.item], edits) for question in questions
        }
        waiting = list(questions)
        for turn in range(looks + 1):
            requests = [
                Request(draft.name, question.stage, tuple(talks[question.item]), question.form) for question in waiting
            ]
            answers = self.asker.ask_all(requests) if requests else []
            again = []
            for question, answer in zip(waiting, answers, strict=True):
                key = (question.stage, question.item)
                text = answer.text if isinstance(answer, Unreadable) else answer.model_dump_json()
                self._said[key] = text
                if isinstance(answer, Unreadable):
                    slips += [_named(name, str(answer)) for name in names[question.item]]
                    continue
                seen = question.look(answer)
                if seen and turn < looks:
                    talks[question.item] += [
                        _assistant(text),
                        _user(f"{seen}\n\n{self._label(draft, question, turn + 1)}"),
                    ]
                    again.append(question)
                    continue
                try:
                    made(question.item, answer)
                except Unfit as error:
                    slips.append(_named(question.item, str(error)))
            waiting = again
        return tuple(slips)

    def _talk(
        self, draft: Draft, question: Question, findings: tuple[str, ...], names: Sequence[str], edits: bool
    ) -> list[Message]:
        """The conversation that ends in a question, after the last answer to it and what was wrong with that."""
        key = (question.stage, question.item)
        self._asked[key] += 1
        own = [one for one in findings if question.item == "-" or blame(draft, one).item in ("", *names)]
        here = self._label(draft, question, 0)
        if not own:
            return [_system(), _user(f"{question.prompt}\n\n{here}")]
        repair = _repair(own, edits=edits and question.stage == "data")
        if key not in self._said:
            return [_system(), _user(f"{question.prompt}\n\n{repair}\n\n{here}")]
        return [_system(), _user(question.prompt), _assistant(self._said[key]), _user(f"{repair}\n\n{here}")]

    def _label(self, draft: Draft, question: Question, look: int) -> str:
        """Tells programs and logs what a request is about."""
        attempt = self._asked[question.stage, question.item]
        item = f"{question.item} look={look}" if look else question.item
        return label(question.stage, scenario=draft.name, item=item, attempt=attempt)


def _system() -> Message:
    text = rendered(
        "system",
        functions=", ".join(sorted(FUNCTIONS - {"now"})),
        types=", ".join(get_args(ScalarType)),
        reserved=" and ".join(RESERVED),
    )
    return {"role": "system", "content": text}


def _user(text: str) -> Message:
    return {"role": "user", "content": text}


def _assistant(text: str) -> Message:
    return {"role": "assistant", "content": text}


def _named(item: str, problem: str) -> str:
    """A finding that begins with the task or tool that it concerns."""
    return problem if item == "-" or problem.startswith(f"{item}:") else f"{item}: {problem}"


def _repair(findings: Sequence[str], *, edits: bool) -> str:
    """What was found, condensed, with the remedies that the gates know."""
    told = [f"- {finding if len(finding) <= _MAX_FINDING else finding[:_MAX_FINDING] + ' ...'}" for finding in findings]
    if len(told) > _MAX_FINDINGS:
        told[_MAX_FINDINGS:] = [f"- and {len(told) - _MAX_FINDINGS} more of this kind"]
    gates = {gate.__name__: gate for gate in GATES}
    named = dict.fromkeys(finding.partition(":")[0] for finding in findings)
    meant = [f"{name}: {' '.join((gates[name].__doc__ or '').split())}\n" for name in named if name in gates]
    return rendered(
        "repair",
        findings="\n".join(told),
        remedies="What these tests demand:\n\n" + "".join(meant) + "\n" if meant else "",
        edits=" Or leave `sql` empty and give `edits`." if edits else "",
    )


# What prompts show ----------------------------------------------------------------------------------------------------


@cache
def _example() -> Scenario:
    return load(places.root() / "scenarios" / _MODEL)


def _example_write() -> Tool:
    """A tool of the example that refuses, writes and answers."""
    return next(tool for tool in _example().tools.values() if "refuse(" in tool.sql and tool.refuses)


def _task_example(form: Callable[[Task], Form]) -> str:
    """A task of the example with a change and an answer, its instruction and the form."""
    task = next(task for task in _example().tasks.values() if task.changes and task.answer)
    return f"{task.instruction}\n\n{_shown(form(task))}"


def _shown(form: Form) -> str:
    return json.dumps(form.model_dump(), ensure_ascii=False)


def _context(draft: Draft) -> str:
    bare = replace(draft, data="", tools=(), tasks=()).scenario()
    return f"{draft.name}: {draft.title}\n\n{draft.description}\n\n{bare.greeting}"


def _wishes(draft: Draft) -> str:
    return "\n".join(f"- {name}: {instruction}" for name, instruction in draft.wishes)


def _concerned(draft: Draft, findings: tuple[str, ...]) -> Iterable[tuple[str, str]]:
    """The tasks that findings concern; all of them if there is none, or one that names none."""
    names = {blame(draft, finding).item for finding in findings}
    return [wish for wish in draft.wishes if not findings or "" in names or wish[0] in names]


def _count(number: int) -> str:
    return "none" if number == 0 else str(number)


def _lines(sql: str) -> str:
    """SQL as a file holds it."""
    text = sql.replace("\r\n", "\n").strip("\n")
    return text + "\n" if text else ""


def _manual(tool: Tool, note: str = "") -> str:
    """A tool in words, with its SQL if it has one."""
    lines = [f"## {tool.name}", tool.description]
    for name, param in tool.params.items():
        where = f" where {param.where}" if param.where else ""
        key = f", of {param.of}{where}" if param.of else ""
        lines.append(f"- {name}: {describe(param)}{key}{'' if param.required else ', optional'}: {param.description}")
    if note:
        lines.append(note)
    if tool.sql.strip():
        lines.append(f"```sql\n{tool.sql.strip()}\n```")
    return "\n".join(lines)


class _Worlds:
    """Worlds to run new tools in: one for all of them, or one for each if some are no tools yet."""

    def __init__(self, draft: Draft, tools: Sequence[Tool]) -> None:
        self._draft = draft
        self._alone: list[World] = []
        self._all = self._open(tools)

    def _open(self, tools: Sequence[Tool]) -> World | None:
        try:
            world = World(replace(self._draft, tools=tuple(tools)).scenario())
        except ScenarioError:
            return None
        self._alone.append(world)
        return world

    def of(self, tool: Tool) -> World | None:
        """The world for a tool; None if it does not compile, which its stage will tell."""
        return self._all or self._open([tool])

    def close(self) -> None:
        """Release them."""
        for world in self._alone:
            world.close()


def _answered(world: World | None, tool: Tool, counts: Sequence[int]) -> Tool:
    """A tool whose examples have the rows that it answers.

    Raises:
        Unfit: it answers more rows or fewer than were said, or none at all, or refuses.
    """
    if world is None:
        return tool
    examples = []
    try:
        for example, count in zip(tool.examples, counts, strict=True):
            world.start_from(example.given)
            result = world.call(ToolCall(tool.name, example.arguments))
            place = f"{tool.name}: the example {json.dumps(example.arguments, ensure_ascii=False)}"
            if result.kind is not None:
                raise Unfit(f"{place} is answered {result.kind}: {result.text}")
            if result.total != count:
                raise Unfit(f"{place} answers {result.total} rows, not {count}: {result.text[:300]}")
            rows = tuple({key: cell for key, cell in row.items() if cell is not None} for row in result.rows)
            examples.append(Example(given=example.given, arguments=example.arguments, rows=rows))
    except ScenarioError as error:
        raise Unfit(f"{tool.name}: {error}") from None
    if examples and not any(example.rows for example in examples):
        raise Unfit(f"{tool.name}: no example answers a row; give one that shows what the tool does")
    return tool.model_copy(update={"examples": tuple(examples)})


class _World:
    """Lets a model look at the data, and play calls, while it writes."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft

    def look(self, form: GoalForm) -> str:
        """The rows of the queries that a form holds."""
        return self._shown("", form.look, [])

    def seen_from(self, task: Task) -> Callable[[Any], str]:
        """Looks from the start of a task."""

        def look(form: ProofForm) -> str:
            return self._shown(task.given or "", form.look, [(call.tool, call.arguments) for call in form.play])

        return look

    def _shown(self, given: str, queries: Sequence[str], calls: Sequence[tuple[str, str]]) -> str:
        if not queries and not calls:
            return ""
        try:
            world = World(self._draft.scenario())
        except ScenarioError as error:
            return f"Nothing can be shown: {error}"
        try:
            world.start_from(given or None)
            told = [f"{query}\n{_rows(world, query)}" for query in queries[:10]]
            told += [f"{name}({arguments})\n{_played(world, name, arguments)}" for name, arguments in calls[:30]]
            return "\n\n".join(told)
        except ScenarioError as error:
            return f"Nothing can be shown: {error}"
        finally:
            world.close()


def _rows(world: World, query: str) -> str:
    """The rows of a query, or why there are none."""
    try:
        rows, names = world.query_with_names(query.strip().rstrip(";"), {}, ScenarioError(""))
    except ScenarioError as error:
        return str(error)
    lines = [" | ".join(names), *(" | ".join(map(str, row)) for row in rows[:_MAX_SHOWN])]
    more = [f"... {len(rows) - _MAX_SHOWN} rows more"] if len(rows) > _MAX_SHOWN else []
    return "\n".join([*lines, *more]) if rows else "no row"


def _played(world: World, name: str, arguments: str) -> str:
    """What a call is answered."""
    try:
        document = json.loads(arguments or "{}")
    except ValueError as error:
        return f"the arguments are no JSON: {error}"
    if name in RESERVED:
        return "ends the episode"
    result = world.call(ToolCall(name, document if isinstance(document, dict) else {}))
    return f"{result.kind}: {result.text}" if result.kind else result.text
