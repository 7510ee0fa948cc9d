"""Gates on tasks: solvable, not by doing nothing, with nothing hidden."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from awm_gym.answers import folded, problem_with
from awm_gym.gates.mutants import of_solution
from awm_gym.gates.prover import Prover, Run, told
from awm_gym.gates.tracing import Sources, days_named, number_words, relative
from awm_gym.gates.words import order_terms
from awm_gym.scenario import GIVE_UP, SUBMIT, Answer, NewRow, Param, Task, Tool, ToolCall
from awm_gym.sql import code_only, literal, quote, statements
from awm_gym.verify import verify
from awm_gym.world import ToolResult

_MOST_GUESSES = 600  # combinations of guesses for the fields of a record
_MOST_OTHERS = 6  # other rows tried in the place of a chosen one
_SUPERLATIVE = re.compile(
    r"\b((?!request|guest|interest|harvest|forest|invest|protest|suggest|honest|earnest)\w{2,}est|most|least|first|last|next|best|worst|top|minimum|maximum|second|third|earlier|later|cheaper|"
    r"dearer|longer|shorter)\b"
)


_DAYS = re.compile(r"\b(newest|latest|oldest|earliest|soonest|youngest|most recent)\b")
_SIZES = re.compile(
    r"\b(cheapest|dearest|(?:larg|small|bigg|high|low|long|short|light|heavi|few|near|full|thinn|thick|quick|slow)est|most|"
    r"least|best|worst|more|less|fewer|cheaper|dearer|(?:larg|small|bigg|high|low|long|short|light|heavi)er|repeatedly|"
    r"often)\b"
)
_PAST = re.compile(r"\b(overdue|late|expired|lapsed|past)\b")
_THRESHOLD = re.compile(
    r"\b(over|under|above|below|overdue|late|expired|expiring|lapsed|past|upcoming|before|after(?! all)|since|than|"
    r"at least|at most|or more|or less|up to|exceed\w*)\b"
)


def doing_nothing_fails(prover: Prover) -> Iterator[str]:
    """No task passes untouched: not without an answer, with a canned one, or with one read off the instruction.

    Remedy: ask for something that is not so from the start, or for an answer that has to be looked up.
    """
    for task in prover.tasks:
        prover.start(task)
        answers = [None]
        if task.answer is not None:
            words = f"{task.instruction}\n{prover.scenario.description}"
            answers += guesses(prover.scenario.tools, task.answer, words)
        for answer in answers:
            if verify(prover.world, task, answer).passed:
                yield f"{task.name}: passes without any call" + (
                    "" if answer is None else f", with the answer {answer!r}"
                )
                break
        if task.infeasible is None and verify(prover.world, task, gave_up=True).passed:
            yield f"{task.name}: passes by giving up, though it is not marked infeasible"
        if prover.changes():
            yield f"{task.name}: the start already counts as changed"
        yield from _partly_done(prover, task)


def _partly_done(prover: Prover, task: Task) -> Iterator[str]:
    """A row that `changes` asks for must not be so from the start: the goal would leak into the data."""
    prover.start(task, lifted=True)
    for changes in task.changes:
        for table, rows in changes.rows.items():
            for row in rows:
                if isinstance(row, NewRow) or row.gone:
                    continue
                cells = {c: v for c, v in row.columns.items() if isinstance(v, str | int | float)}
                where = " AND ".join(f"{quote(c)} IS {literal(v)}" for c, v in cells.items())
                if len(cells) == len(row.columns) and prover.world.query(f"SELECT 1 FROM {quote(table)} WHERE {where}"):
                    yield f"{task.name}: {table} {where} holds from the start"


def guesses(tools: Mapping[str, Tool], answer: Answer, words: str) -> Iterator[Any]:
    """Answers that need no look at the data: canned ones, and what can be read off the words."""
    enums = {
        member
        for tool in tools.values()
        for param in tool.params.values()
        for member in param.enum
        if len(param.enum) < 6 and isinstance(member, str)
    }
    found = [*_of_type(answer, words), *(sorted(enums) if answer.type == "string" else ())]
    yield from (guess for guess in found if problem_with(answer, guess) is None)


def _of_type(answer: Answer, instruction: str) -> Iterator[Any]:
    if answer.items is not None:
        yield []
        single = list(_of_type(answer.items, instruction))
        yield from ([guess] for guess in single)
        yield single
        yield from (single[start:end] for start in range(len(single)) for end in range(start + 2, start + 5))
    elif answer.fields:
        columns = [list(dict.fromkeys(_of_type(field, instruction)))[:40] for field in answer.fields.values()]
        for cells in itertools.islice(itertools.product(*columns), _MOST_GUESSES):
            yield dict(zip(answer.fields, cells, strict=True))
    elif answer.type in ("integer", "number"):
        yield from (0, 1, -1, 2, 3)
        yield from (float(n) if "." in n else int(n) for n in re.findall(r"\d+(?:\.\d+)?", instruction))
        yield from (n for word, n in number_words().items() if re.search(rf"\b{word}\b", instruction.lower()))
    elif answer.type == "boolean":
        yield from (True, False)
    elif answer.type in ("date", "datetime"):
        yield from re.findall(r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d)?", instruction)
        yield from days_named(instruction)
    else:
        yield from ("", "none", "nothing", "unknown", "yes", "no", "n/a", "0", instruction)
        yield from re.findall(r"[A-Z][\w'&.-]*(?: (?:[A-Z&][\w'&.-]*|of|and|de|van))*", instruction)
        yield from re.findall(r"['\"“‘]([^'\"”’]+)['\"”’]", instruction)


def solutions_pass(prover: Prover) -> Iterator[str]:
    """Every solution passes through the public tools, without a tool error, twice with the same end.

    The expected answer is read from tables, one row alone is the first where `expect` takes the first, and no two
    tasks are the same.
    Remedy: play the solution with `awm-gym play`, compare with `changes` and `expect`, and correct whichever is wrong.
    """
    seen: dict[str, str] = {}
    for task in prover.tasks:
        run = prover.run(task, task.solution)
        for error in run.errors:
            yield f"{task.name}: {error}"
        if not run.verdict.passed:
            yield f"{task.name}: the solution fails. {run.verdict.explanation}"
        results = prover.replay(task, task.solution)
        if [result.text for result in results] != [result.text for result in run.results]:
            yield f"{task.name}: the solution answers otherwise the second time"
        yield from _expectation(prover, task)
        other = seen.setdefault(repr((task.given, task.solution)), task.name)
        if other != task.name:
            yield f"{task.name}: is the task {other} once more"


def _expectation(prover: Prover, task: Task) -> Iterator[str]:
    """The world stands at the solution's end. `expect` must read tables, and a first row must be first alone."""
    if task.expect is None:
        return
    if not re.search(r"\bFROM\b", code_only(task.expect), re.I):
        yield f"{task.name}: expect reads no table; compute the answer from the data"
    limited = re.search(r"\bLIMIT 1\s*;?\s*$", task.expect, re.I)
    columns = len(task.answer.fields) or 1 if task.answer else 1
    if not limited or not order_terms(task.expect):
        return
    head, terms = task.expect[: limited.start()], order_terms(task.expect)
    if len(terms) > 1 and re.fullmatch(r"(\w+\.)?(id|rowid)( ASC| DESC)?", terms[-1], re.I):
        head = head[: head.rindex(terms[-1])].rstrip().rstrip(",")
    ends = [", ".join(f"{place}{way}" for place in range(1, columns + 1)) for way in (" ASC", " DESC")]
    first, last = (prover.world.query(f"{head}, {end} LIMIT 1", {"answer": None}) for end in ends)
    if first != last:
        yield f"{task.name}: {first[0]} and {last[0]} are equally first; the answer must have one winner"


def infeasible_is_so(prover: Prover) -> Iterator[str]:
    """An infeasible task passes only by giving up; its obstacle shows, and stops every variation of the solution.

    Remedy: make `given` keep the obstacle, `lifted_by` remove it and nothing else, and `shown_by` look at it.
    """
    for task in prover.tasks:
        if task.infeasible is None:
            continue
        shown = prover.replay(task, task.infeasible.shown_by, lifted=False)
        for call, result in zip(task.infeasible.shown_by, shown, strict=True):
            if result.kind not in (None, "refused"):
                yield f"{task.name}: shown_by: {told(call)} was answered {result.kind}: {result.text}"
        if not verify(prover.world, task, gave_up=True).passed:
            yield f"{task.name}: giving up after shown_by does not pass; shown_by must change nothing"
        lifted = prover.replay(task, task.infeasible.shown_by)
        for call, result, other in zip(task.infeasible.shown_by, shown, lifted, strict=True):
            if result.kind is None and not result.rows and not other.rows:
                yield f"{task.name}: shown_by: {told(call)} shows nothing, with the obstacle or without"
        if [result.text for result in shown] == [result.text for result in lifted]:
            yield f"{task.name}: shown_by answers the same with the obstacle lifted; it does not show the obstacle"
        variants = [task.solution, *(mutant.calls for mutant in of_solution(prover, task, others=12))]
        for calls in variants:
            run = prover.run(task, calls, lifted=False)
            if run.verdict.passed:
                yield f"{task.name}: can be done, by {'; '.join(map(told, calls))}"
                break
        yield from _lifts_more(prover, task)
        if len(task.infeasible.why.split()) < 4:
            yield f"{task.name}: why {task.infeasible.why!r} tells nothing; name the obstacle"


def _lifts_more(prover: Prover, task: Task) -> Iterator[str]:
    """Without any one statement of `lifted_by` the solution fails: it lifts the obstacle and nothing else."""
    assert task.infeasible is not None
    parts = [statement.text for statement in statements(task.infeasible.lifted_by)]
    for index in range(len(parts) if len(parts) > 1 else 0):
        rest = "\n".join(parts[:index] + parts[index + 1 :])
        fewer = task.model_copy(
            update={
                "name": f"{task.name} lifted {index}",
                "infeasible": task.infeasible.model_copy(update={"lifted_by": rest}),
            }
        )
        prover.replay(fewer, task.solution)
        if prover.passes(task, task.solution[-1].arguments.get("answer")):
            yield f"{task.name}: lifted_by does more than lift the obstacle: {parts[index]}"


def nothing_is_hidden(prover: Prover) -> Iterator[str]:
    """Every value in a solution's calls stands in the instruction, in an enum or default, or in an earlier result.

    Remedy: say it in the instruction, look it up first, or put it into `derived` with how it is worked out.
    """
    for task in prover.tasks:
        run = prover.run(task, task.solution)
        prose = f"{prover.scenario.greeting}\n{prover.scenario.description}\n{task.instruction}"
        sources = Sources(prose, prover.scenario.now)
        calls = _tool_calls(task)
        for place, (call, result) in enumerate(zip(calls, run.results, strict=True)):
            for name, value in call.arguments.items():
                for item in value if isinstance(value, list) else [value]:
                    if not (_next_page(calls[:place], call, name) or _known(prover, task, sources, call, name, item)):
                        yield f"{task.name}: {call.name}: {name} = {item!r} comes from nowhere"
            sources.add(result.rows)
        yield from _derivations(task, sources, Sources(prose, prover.scenario.now))
    yield from _answers_in_the_open(prover)


def _next_page(earlier: Sequence[ToolCall], call: ToolCall, name: str) -> bool:
    """Whether an argument turns the page of an earlier call."""
    page = call.arguments[name]
    if name != "page" or not isinstance(page, int):
        return False
    before = {**call.arguments, name: page - 1}
    first = {key: value for key, value in before.items() if key != name} if page == 2 else before
    return any(other.name == call.name and other.arguments in (before, first) for other in earlier)


def _derivations(task: Task, sources: Sources, prose: Sources) -> Iterator[str]:
    """What is worked out is used, is no key, and comes from something that can be known: a day, from the words."""
    used = {
        str(item)
        for call in task.solution
        for value in call.arguments.values()
        for cell in (value.values() if isinstance(value, dict) else [value])
        for item in (cell if isinstance(cell, list) else [cell])
    }
    for value, how in task.derived.items():
        if value not in used:
            yield f"{task.name}: derived tells of {value!r}, which the solution does not use"
        numbers = [float(number) for number in re.findall(r"(?<![\w.-])\d+(?:\.\d+)?", how)]
        day = re.match(r"\d{4}-\d\d-\d\d", value)
        if numbers and not (all(map(prose.has, numbers)) if day else any(map(sources.has, numbers))):
            yield f"{task.name}: derived tells {value!r} from {how!r}, which comes from nowhere"
        names = [word for word in re.findall(r"[a-z]{3,}", how.lower()) if not sources.has(word)]
        if not numbers and len(names) == len(re.findall(r"[a-z]{3,}", how.lower())) and not relative(how):
            yield f"{task.name}: derived tells {value!r} from {how!r}, which says nothing that can be known"


def _tool_calls(task: Task) -> list[ToolCall]:
    return [call for call in task.solution if call.name not in (SUBMIT, GIVE_UP)]


def _known(prover: Prover, task: Task, sources: Sources, call: ToolCall, name: str, item: Any) -> bool:
    param: Param = prover.scenario.tools[call.name].params[name]
    if item == param.default and param.default is not None:
        return True
    if param.of is not None and not isinstance(item, bool):
        return sources.has_key(item, name)
    if item in param.enum:
        spoken = not isinstance(item, str) or not prover.writes(call.name) or sources.speaks_of(item)
        return spoken or str(item) in task.derived or not _free_choice(prover, task, call, name)
    return str(item) in task.derived or sources.has(item)


def _free_choice(prover: Prover, task: Task, call: ToolCall, name: str) -> bool:
    """Whether the solution runs as well with another word of the enum in this argument."""
    for word in prover.scenario.tools[call.name].params[name].enum:
        changed = ToolCall(call.name, {**call.arguments, name: word})
        calls = tuple(changed if other == call else other for other in task.solution)
        if word != call.arguments[name] and not prover.run(task, calls).errors:
            return True
    return False


def _answers_in_the_open(prover: Prover) -> Iterator[str]:
    """A text answer must be in some result: what no call shows cannot be known."""
    for task in prover.tasks:
        last = task.solution[-1]
        answer = last.arguments.get("answer") if last.name == SUBMIT else None
        for text in _texts(answer):
            results = prover.run(task, task.solution).results
            seen = folded(" ".join(str(value) for r in results for row in r.rows for value in row.values()))
            if folded(text) not in seen and folded(text) not in folded(task.instruction) and text not in task.derived:
                yield f"{task.name}: the answer {text!r} is in no result of the solution"
        for number in _numbers(answer):
            if not _counted(prover, task, number):
                yield f"{task.name}: the answer {number!r} is in no result of the solution; say in `derived` how"


def _numbers(answer: Any) -> Iterator[int | float]:
    if isinstance(answer, dict):
        answer = list(answer.values())
    if isinstance(answer, list):
        for item in answer:
            yield from _numbers(item)
    elif isinstance(answer, int | float) and not isinstance(answer, bool):
        yield answer


def _counted(prover: Prover, task: Task, number: float) -> bool:
    """Whether a number is shown by a result, is how many rows one has, or is told in `derived`."""
    results = prover.run(task, task.solution).results
    cells = [value for result in results for row in result.rows for value in row.values()]
    sources = Sources("", prover.scenario.now)
    for result in results:
        sources.add(result.rows)
    return (
        str(number) in task.derived
        or sources.has(number)
        or sources.has(round(number * 100))  # money is stored in cents and answered in pounds
        or number in [result.total for result in results]
        or number in [cells.count(cell) for cell in cells]
    )


def _texts(answer: Any) -> Iterator[str]:
    if isinstance(answer, str):
        yield answer
    elif isinstance(answer, list):
        for item in answer:
            yield from _texts(item)
    elif isinstance(answer, dict):
        for item in answer.values():
            yield from _texts(item)


def choices_are_grounded(prover: Prover) -> Iterator[str]:
    """Where a solution picks one key among several rows of a result, something sets that row apart.

    What does: words, dates or numbers of the instruction that stand in the row, another result with the same key, a
    superlative that has one winner, or the tools, if they refuse all the others.
    Of an infeasible task, what an agent sees counts: the rows with the obstacle in its place.
    Remedy: describe the thing in the instruction so that one row fits; see that "the cheapest" is one.
    """
    for task in prover.tasks:
        run = prover.run(task, task.solution, lifted=False)
        sources = Sources(task.instruction, prover.scenario.now)
        calls = _tool_calls(task)
        asked = [value for call in calls for value in call.arguments.values()]
        given = _given_to_writes(prover, calls)
        for index, call in enumerate(calls):
            for name, value in call.arguments.items():
                reference = prover.reference(prover.scenario.tools[call.name], name)
                if reference is None:
                    continue
                for key in _items(value):
                    seen = list(zip(calls[:index], run.results[:index], strict=True))
                    others = _as_good(prover, task, seen, (name, reference, key), sources)
                    if others and _looked_into(prover, run, key, task):
                        continue
                    if prover.writes(call.name) or (reference, key) in given:
                        others = [other for other in others if _playable(prover, task, reference, key, other)]
                    else:
                        others = [other for other in others if other not in asked]
                    if others:
                        yield f"{task.name}: {call.name}: nothing says why {name} is {key!r} and not {others[0]!r}"


def _as_good(
    prover: Prover,
    task: Task,
    seen: list[tuple[ToolCall, ToolResult]],
    choice: tuple[str, tuple[str, str], Any],
    sources: Sources,
) -> list[Any]:
    """Keys of other rows that fit the instruction as well as the row of the key that an argument chose."""
    name, reference, key = choice
    shown = [
        (call, rows, column)
        for call, rows in _lists(seen)
        if key not in call.arguments.values() and (column := _key_column(rows, name, reference, key))
    ]
    if len(shown) != 1 or len(shown[0][1]) == 1 or str(key) in task.derived:
        return []  # never shown is for nothing_is_hidden; alone, or shown twice, is reason enough
    call, rows, column = shown[0]
    found: list[list[Any]] = []
    for chosen in (row for row in rows if row.get(column) == key):  # any of its rows may be the one that is meant
        left = _left(prover, task, call, rows, chosen, column, sources)
        found.append(list(dict.fromkeys(row[column] for row in left if row.get(column) is not None))[:_MOST_OTHERS])
    return min(found, key=len)


def _left(
    prover: Prover, task: Task, call: ToolCall, rows: list[Any], chosen: Any, column: str, sources: Sources
) -> list[Any]:
    """The rows of other keys that fit the instruction as well as the chosen one."""
    words = folded(task.instruction)
    told = [name for name, cell in chosen.items() if cell is not None and _mentioned(name, cell, sources, task)]
    key = chosen[column]
    left = [row for row in rows if all(row.get(name) == chosen[name] for name in told) and row.get(column) != key]
    if _THRESHOLD.search(words):
        asked = {item for one in _tool_calls(task) for value in one.arguments.values() for item in _items(value)}
        mine = [row for row in rows if row.get(column) in asked]
        rest = [row for row in left if row.get(column) not in asked]
        others = _alike(mine, rest)
        if len(mine) > 1 and any(_apart(mine, others or rest, name) for name in chosen if name != column):
            return []
        today = prover.scenario.now.date().isoformat()
        if _PAST.search(words) and any(_past_alone(mine, others, name, today) for name in chosen if name != column):
            return []
    if _SUPERLATIVE.search(words):
        compiled = prover.tools[call.name]
        terms = order_terms(compiled.statements[compiled.answer].sql)
        by = re.sub(r"\s+(ASC|DESC)$", "", terms[0], flags=re.I).split(".")[-1] if terms else column
        left = [row for row in left if row.get(by) == chosen.get(by)]
    return [] if any(_extreme(chosen, left, name, words) for name in chosen if name != column) else left


def _alike(mine: list[Any], others: list[Any]) -> list[Any]:
    """The others that are in no other state than the chosen rows: "overdue" leaves out what is closed, unsaid."""
    states = [name for name in mine[0] if name == "status" or name.endswith("_status")] if mine else []
    return [row for row in others if all(any(row.get(name) == own[name] for own in mine) for name in states)]


def _past_alone(mine: list[Any], others: list[Any], column: str, today: str) -> bool:
    """Whether a column of days lies before today in the chosen rows, and in no other."""
    cells = [row.get(column) for row in (*mine, *others)]
    if not all(isinstance(cell, str) and re.match(r"\d{4}-\d\d-\d\d", cell) for cell in cells):
        return False
    return all(row[column][:10] < today for row in mine) and not any(row[column][:10] < today for row in others)


def _key_column(rows: list[Any], name: str, reference: tuple[str, str], key: Any) -> str:
    """The column of a list that shows a key as one: named like the argument or the key, or else like any key.

    "" if there is none: a number that is a count or an amount is no key.
    """
    table, own = reference
    columns = list(dict.fromkeys(column for row in rows for column, cell in row.items() if cell == key))
    expected = (name.removesuffix("s"), f"{table}_id", own, "id")
    named = [column for column in expected if column in columns]
    others = [column for column in columns if _is_key(column) or isinstance(key, str)]
    return next(iter([*named, *others]), "")


def _is_key(column: str) -> bool:
    """Whether a column is named like one of keys: "paid" is none."""
    return column == "id" or column.endswith("_id")


def _lists(seen: list[tuple[ToolCall, ToolResult]]) -> list[tuple[ToolCall, list[Any]]]:
    """Calls and their rows, those of the pages of one list together; of a list looked at again, what it shows now."""
    joined: dict[str, tuple[ToolCall, list[Any]]] = {}
    asked: dict[str, list[ToolCall]] = {}
    for call, result in seen:
        rest = {name: value for name, value in call.arguments.items() if name != "page"}
        key = f"{call.name} {sorted(rest.items(), key=str)}"
        if call in asked.setdefault(key, []):
            del joined[key], asked[key][:]
        asked[key].append(call)
        joined.setdefault(key, (call, []))[1].extend(result.rows)
    return list(joined.values())


def _extreme(chosen: Any, left: list[Any], column: str, words: str) -> bool:
    """Whether a superlative in words can mean the chosen row by a column: of days, or of sizes, and without a tie."""
    cells = [row.get(column) for row in (chosen, *left)]
    if any(cell is None for cell in cells) or _is_key(column):
        return False
    days = all(isinstance(cell, str) and re.match(r"\d{4}-\d\d-\d\d", cell) for cell in cells)
    sizes = all(isinstance(cell, int | float) and not isinstance(cell, bool) for cell in cells)
    if not (days and _DAYS.search(words)) and not (sizes and _SIZES.search(words)):
        return False
    order = sorted(cells)
    ranks = [1, 2, 3] if re.search(r"\b(second|third)\b", words) else [1]
    ends = [order[rank - 1] for rank in ranks if rank <= len(order)] + [
        order[-rank] for rank in ranks if rank <= len(order)
    ]
    return cells.count(cells[0]) == 1 and cells[0] in ends


def _given_to_writes(prover: Prover, calls: list[ToolCall]) -> set[tuple[Any, Any]]:
    """Keys that writing calls are given, each with what it refers to."""
    return {
        (prover.reference(prover.scenario.tools[call.name], name), item)
        for call in calls
        if prover.writes(call.name)
        for name, value in call.arguments.items()
        for item in _items(value)
        if not isinstance(item, dict)
    }


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _apart(some: list[Any], others: list[Any], column: str) -> bool:
    """Whether a threshold in a column, of numbers or of days, sets some rows apart from others."""
    mine, theirs = ([row.get(column) for row in rows] for rows in (some, others))
    numbers = all(isinstance(cell, int | float) for cell in (*mine, *theirs))
    days = all(isinstance(cell, str) and re.match(r"\d{4}-\d\d-\d\d", cell) for cell in (*mine, *theirs))
    if not (mine and theirs and (numbers or days)):
        return False
    return bool(max(mine) < min(theirs) or min(mine) > max(theirs))


def _looked_into(prover: Prover, run: Run, key: Any, task: Task) -> bool:
    """Whether a reading call that was given the key shows something that the instruction speaks of, and no list did."""
    words, listed = folded(task.instruction), set[Any]()
    for call, result in zip(run.calls, run.results, strict=False):
        cells = {cell for row in result.rows for cell in row.values() if isinstance(cell, str)}
        if key not in call.arguments.values():
            listed |= cells
        if key not in call.arguments.values() or prover.writes(call.name):
            continue
        spoken = re.findall(
            r"\w{5,}", folded(" ".join(sorted(cells - listed - set(map(str, call.arguments.values())))))
        )
        if any(re.search(rf"\b{word}", words) for word in spoken):
            return True
    return False


def _playable(prover: Prover, task: Task, reference: tuple[str, str] | None, key: Any, other: Any) -> bool:
    """Whether the solution with another key in the place of one runs without an error to a wrong end."""
    calls = tuple(
        ToolCall(call.name, {name: _exchanged(prover, call, name, reference, key, other) for name in call.arguments})
        for call in task.solution
    )
    run = prover.run(task, calls)
    return not run.errors and not run.verdict.passed and run.end != prover.run(task, task.solution).end


def _exchanged(
    prover: Prover, call: ToolCall, name: str, reference: tuple[str, str] | None, key: Any, other: Any
) -> Any:
    """An argument, with another key in the place of one if it is of the same table."""
    value = call.arguments[name]
    tool = prover.scenario.tools.get(call.name)
    if tool is None or prover.reference(tool, name) != reference:
        return value
    if isinstance(value, list):
        return [other if item == key else item for item in value]
    return other if value == key else value


def _mentioned(column: str, cell: Any, sources: Sources, task: Task) -> bool:
    """Whether the instruction speaks of a cell: as a value, by one of its words, or, of a flag, by its name."""
    if cell in (0, 1) and not _is_key(column):
        stem = column.removeprefix("is_").removeprefix("takes_").split("_")[0].removesuffix("ing")
        return re.search(rf"\b{stem}", folded(task.instruction)) is not None
    if isinstance(cell, int) and _is_key(column):
        return re.search(rf"\b{cell}\b", task.instruction) is not None
    if not isinstance(cell, str) or re.match(r"\d{4}-\d\d-\d\d", cell):
        return sources.has(cell[:10] if isinstance(cell, str) else cell)
    words = [word for word in re.findall(r"\w+", folded(cell)) if len(word) > 2 or word.isdigit()]
    return any(re.search(rf"\b{re.escape(word)}", folded(task.instruction)) for word in words)
