"""A blueprint's folder, read strictly; and its grammar: the blueprint in one flavour, with some of its parts."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from awm_gym import places
from awm_gym.blueprints.format import Conditional, Entity, Goal, Group, Head, Pair, Step, Words
from awm_gym.errors import ScenarioError, shown, unknown
from awm_gym.files import read_files, read_toml, validated
from awm_gym.scenario import RESERVED, Tool

FILES = ("blueprint.toml", "schema.sql", "invariants.sql", "tables.toml", "entities.toml", "tools.toml", "goals.toml")
VOCABULARY = "vocabulary.toml"  # beside the blueprints of the library: words that all blueprints share
_WORD = re.compile(r"<<(\w+)>>")
_PART = re.compile(r"\s*--\s*part (\w+)\s*$")
_END = re.compile(r"\s*--\s*end\b")
_T = TypeVar("_T")


class Grammar:
    """A blueprint in one flavour, with the parts of one seed: what the engine works from."""

    def __init__(self, blueprint: Blueprint, flavour: str, parts: frozenset[str]) -> None:
        self.blueprint, self.flavour, self.parts = blueprint, blueprint.head.flavours[flavour], parts
        read = blueprint.dressed(flavour)
        self.schema, self.invariants = (_with_parts(read[name], parts) for name in ("schema.sql", "invariants.sql"))
        self.vocabulary: dict[str, Words] = {
            **read["vocabulary"],
            **read["blueprint.toml"].vocabulary,
            **read["blueprint.toml"].flavours[flavour].vocabulary,
        }
        self.head: Head = read["blueprint.toml"]
        self.flavour = self.head.flavours[flavour]
        self.groups: list[Group] = self._kept(read["tables.toml"])
        self.entities: dict[str, Entity] = {e.name: e for e in self._kept(read["entities.toml"])}
        self.goals: dict[str, Goal] = {goal.name: goal for goal in self._kept(read["goals.toml"]["goals"])}
        self.conditionals: list[Conditional] = self._kept(read["goals.toml"]["conditionals"])
        self.pairs: list[Pair] = self._kept(read["goals.toml"]["pairs"])
        self.tools: dict[str, dict[str, Any]] = {
            name: {key: value for key, value in tool.items() if key != "part"}
            for name, tool in read["tools.toml"].items()
            if tool.get("part") is None or tool["part"] in parts
        }
        self._cross_check()

    def _kept(self, entries: list[_T]) -> list[_T]:
        return [entry for entry in entries if getattr(entry, "part", None) in {None, *self.parts}]

    def error(self, problem: str, file: str, key: str = "") -> ScenarioError:
        """An error of this blueprint's author."""
        return ScenarioError(problem, file=file, key=key, scenario=self.blueprint.name)

    def _cross_check(self) -> None:
        """What the files say of each other."""
        for goal in self.goals.values():
            self._check_goal(goal)
        for entity in self.entities.values():
            for step in (step for find in entity.find for step in find.calls):
                self._known("tool", step.name, self.tools, "entities.toml", entity.name)
            if not entity.names and not entity.qualifiers and not entity.owners:
                raise self.error("has no names, owners or qualifiers to tell it by", "entities.toml", entity.name)
        for rule in self.conditionals:
            self._known("entity", rule.on, self.entities, "goals.toml", "conditionals")
            self._known("adjective", rule.test, self.entities[rule.on].adjectives, "goals.toml", "conditionals")
            if self.entities[rule.on].adjectives[rule.test].is_ is None:
                raise self.error(f"the adjective {rule.test!r} needs `is`", "goals.toml", "conditionals")
        for names in [(c.then, c.otherwise) for c in self.conditionals] + [(p.first, p.then) for p in self.pairs]:
            for name in names:
                self._known("goal", name, self.goals, "goals.toml", "conditionals, pairs")

    def _check_goal(self, goal: Goal) -> None:
        for name in ([goal.on] if goal.on is not None else []) + list(goal.refer.values()):
            self._known("entity", name, self.entities, "goals.toml", goal.name)
        for rank in goal.ranks or () if goal.on is not None else ():
            self._known("rank", rank, self.entities[goal.on or ""].ranks, "goals.toml", goal.name)
        for step in self._steps(goal):
            if step.each is not None:
                self._known("choice", step.each, goal.choose, "goals.toml", goal.name)
            if step.name is not None and step.name not in RESERVED:
                self._known("tool", step.name, self.tools, "goals.toml", goal.name)

    def _known(self, kind: str, name: str | None, known: Mapping[str, Any], file: str, key: str) -> None:
        if name not in known:
            raise self.error(unknown(kind, name, known), file, key)

    @staticmethod
    def _steps(goal: Goal) -> Iterator[Step]:
        yield from goal.calls
        for trap in goal.near_misses.values():
            yield from trap.calls
        for obstacle in goal.infeasible.values():
            yield from obstacle.shown_by or ()


class Blueprint:
    """A blueprint's folder.

    Raises:
        ScenarioError: a file is missing or malformed; the message names folder, file, key, value and remedy.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.name = self.folder.resolve().name
        self._texts = read_files(self.folder, FILES)
        self._vocabulary = (places.root() / VOCABULARY).read_text("utf-8")
        self._dressed: dict[str, dict[str, Any]] = {}
        self._grammars: dict[tuple[str, frozenset[str]], Grammar] = {}
        self.head: Head = self._model(Head, self._toml("blueprint.toml", None), "blueprint.toml", "")
        if not self.head.flavours:
            raise self._error("has no flavour; add [flavours.<name>]", "blueprint.toml", "flavours")

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the blueprint's files and the shared words, 64 hexadecimal digits."""
        content = hashlib.sha256()
        for name, text in [*self._texts.items(), (VOCABULARY, self._vocabulary)]:
            content.update(f"{name}\0{text}\0".encode())
        return content.hexdigest()

    def grammar(self, flavour: str, parts: frozenset[str] = frozenset()) -> Grammar:
        """The blueprint in one flavour, with some of its parts.

        Raises:
            ScenarioError: a file is malformed in that flavour, or its parts contradict each other.
        """
        if (flavour, parts) not in self._grammars:
            self._grammars[flavour, parts] = Grammar(self, flavour, parts)
        return self._grammars[flavour, parts]

    def whole(self) -> Grammar:
        """The blueprint in its first flavour, with all its parts."""
        return self.grammar(next(iter(self.head.flavours)), frozenset(self.head.parts))

    def dressed(self, flavour: str) -> dict[str, Any]:
        """The files with the words of a flavour, read."""
        if flavour not in self._dressed:
            self._dressed[flavour] = self._read(flavour)
        return self._dressed[flavour]

    def _read(self, flavour: str) -> dict[str, Any]:
        goals = self._toml("goals.toml", flavour)
        conditionals, pairs = goals.pop("conditionals", []), goals.pop("pairs", [])
        for key, entries in (("conditionals", conditionals), ("pairs", pairs)):
            if not isinstance(entries, list):
                raise self._error(f"is a list of tables, [[{key}]], not {shown(entries)}", "goals.toml", key)
        return {
            "vocabulary": {name: tuple(words) for name, words in tomllib.loads(self._vocabulary).items()},
            "blueprint.toml": self._model(Head, self._toml("blueprint.toml", flavour), "blueprint.toml", ""),
            "schema.sql": self._text("schema.sql", flavour),
            "invariants.sql": self._text("invariants.sql", flavour),
            "tables.toml": self._entries(Group, "tables.toml", self._toml("tables.toml", flavour)),
            "entities.toml": self._entries(Entity, "entities.toml", self._toml("entities.toml", flavour)),
            "goals.toml": {
                "goals": self._entries(Goal, "goals.toml", goals),
                "conditionals": [
                    self._model(Conditional, entry, "goals.toml", "conditionals") for entry in conditionals
                ],
                "pairs": [self._model(Pair, entry, "goals.toml", "pairs") for entry in pairs],
            },
            "tools.toml": self._tools(flavour),
        }

    def _tools(self, flavour: str) -> dict[str, dict[str, Any]]:
        found = self._toml("tools.toml", flavour)
        for name, entry in found.items():
            if not isinstance(entry, dict):
                raise self._error(f"must be a table [{name}], not {shown(entry)}", "tools.toml", name)
            for key in ("examples", "refuses"):
                if not isinstance(entry.get(key, []), list):
                    raise self._error(f"{key} is a list of queries, not {shown(entry[key])}", "tools.toml", name)
            entry["examples"] = [self._query(query, name) for query in entry.get("examples", [])]
            entry["refuses"] = [self._query(query, name) for query in entry.get("refuses", [])]
            own = {key: value for key, value in entry.items() if key not in ("part", "examples", "refuses")}
            entry["tool"] = self._model(Tool, {"name": name, **own}, "tools.toml", name)
        return found

    def _query(self, query: object, name: str) -> dict[str, str]:
        query = {"query": query} if isinstance(query, str) else query
        if not isinstance(query, dict) or "query" not in query or set(query) - {"query", "given", "rows"}:
            raise self._error(
                f"an example or refusal is a query, or {{ query = ..., given = ..., rows = ... }}, not {shown(query)}",
                "tools.toml",
                name,
            )
        return query

    def _entries(self, model: type[_T], file: str, document: Mapping[str, Any]) -> list[_T]:
        found = []
        for name, entry in document.items():
            if not isinstance(entry, dict):
                raise self._error(f"must be a table [{name}], not {shown(entry)}", file, name)
            found.append(self._model(model, {"name": name, **entry}, file, name))
        return found

    def _model(self, model: type[_T], values: Any, file: str, key: str) -> _T:
        try:
            found: _T = validated(model, values, file, key)
            return found
        except ScenarioError as error:
            raise error.within(self.name) from None

    def _toml(self, file: str, flavour: str | None) -> dict[str, Any]:
        text = self._texts[file] if flavour is None else self._text(file, flavour)
        try:
            return read_toml(text, file)
        except ScenarioError as error:
            raise error.within(self.name) from None

    def _text(self, file: str, flavour: str) -> str:
        words = self.head.flavours[flavour].words

        def word(match: re.Match[str]) -> str:
            name = match[1]
            if name in words:
                return words[name]
            low = name[0].lower() + name[1:]
            if low in words:
                return words[low][0].upper() + words[low][1:]
            raise self._error(f"<<{name}>>: the flavour {flavour!r} has no such word", file, "")

        return _WORD.sub(word, self._texts[file])

    def _error(self, problem: str, file: str, key: str) -> ScenarioError:
        return ScenarioError(problem, file=file, key=key, scenario=self.name)


def _with_parts(script: str, parts: frozenset[str]) -> str:
    """A SQL script without the parts that are left out."""
    kept, inside = [], True
    for line in script.split("\n"):
        if match := _PART.match(line):
            inside = match[1] in parts
        elif _END.match(line):
            inside = True
        elif inside:
            kept.append(line)
    return "\n".join(kept)
