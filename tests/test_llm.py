"""Asking a language model: through real HTTP, with a scripted server at the other end."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import hypothesis
import openai
import pytest
from fake_openai import FakeServer, Reply, embedding, failure
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, field_validator

from awm_gym import places
from awm_gym.errors import BudgetSpent, ModelError, Unreadable, UsageError
from awm_gym.llm import Client, Ledger, Log, Model, Price, Prices, Request, Said, Settings, Spent, Usage, stage_models
from awm_gym.llm.answers import Answers, key_of
from awm_gym.llm.client import BATCH
from awm_gym.llm.reading import MAX_DEPTH, read, strict_schema
from awm_gym.llm.server import MAX_TRIES, asked_wait

pytestmark = pytest.mark.compat

STAGES = ("scenario", "data", "tools")
LOOK = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    size: int = Field(ge=0, description="In pieces.")


class Shop(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=2)
    kind: Literal["small", "large"] = "small"
    parts: list[Part] = []

    @field_validator("name")
    @classmethod
    def _named(cls, name):
        if name == "none":
            raise ValueError("give it a name of its own")
        return name


SHOP = '{"name": "Kiosk", "kind": "small", "parts": [{"name": "till", "size": 1}]}'
KIOSK = Shop(name="Kiosk", parts=[Part(name="till", size=1)])


def question(words="Make a shop.", *, scenario="kiosk", stage="data", number=0, answer=Shop):
    return Request(scenario, stage, ({"role": "user", "content": words},), answer, number)


def words_of(request):
    return request["messages"][-1]["content"]


@pytest.fixture
def connect(tmp_path):
    """Make a model of a server's function; with the server, the ledger, and what was logged."""
    with contextlib.ExitStack() as stack:

        def make(answer, *, embed=None, prices=None, server=None, **given):
            server = server or stack.enter_context(FakeServer(answer, embed))
            given = {"model": "m", "base_url": server.url, "patience": 0.001, "timeout": 5.0, **given}
            settings = Settings(**given)
            ledger = Ledger(settings, prices)
            log = tmp_path / "runs" / "log.jsonl"
            model = stack.enter_context(Model(settings, ledger, Log(log), tmp_path / "answers"))

            def logged(kind):
                entries = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
                return [entry for entry in entries if entry["kind"] == kind]

            return SimpleNamespace(server=server, model=model, ledger=ledger, logged=logged, log=log, settings=settings)

        yield make


def in_turn(*replies):
    """Answer with each reply once, and with the last from then on."""
    left = list(replies)
    return lambda request: left.pop(0) if len(left) > 1 else left[0]


# Settings


@pytest.fixture
def env(monkeypatch):
    for name in ("AWM_GYM_MODEL", "OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_VERSION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_settings_come_from_the_environment_and_flags_win(env):
    env.setenv("AWM_GYM_MODEL", "gpt-5")
    env.setenv("OPENAI_API_KEY", "sk-1")
    settings = Settings.from_environment(model=None, concurrency=3)
    assert settings == Settings("gpt-5", api_key="sk-1", concurrency=3)
    env.setenv("OPENAI_BASE_URL", "http://there/v1")
    assert Settings.from_environment().base_url == "http://there/v1"
    assert Settings.from_environment(model="own", base_url="http://here/v1", api_key="k") == Settings(
        "own", base_url="http://here/v1", api_key="k"
    )


def test_settings_know_azure_and_a_flag_leads_away_from_it(env):
    env.setenv("AWM_GYM_MODEL", "deployed")
    env.setenv("AZURE_OPENAI_ENDPOINT", "https://mine.azure.test")
    env.setenv("OPENAI_API_KEY", "sk-plain")
    assert Settings.from_environment().api_key == "sk-plain"
    env.setenv("AZURE_OPENAI_API_KEY", "sk-azure")
    settings = Settings.from_environment()
    assert (settings.base_url, settings.api_key, settings.azure_version) == (
        "https://mine.azure.test",
        "sk-azure",
        "2024-10-21",
    )
    assert settings.key_name == "AZURE_OPENAI_API_KEY"
    env.setenv("OPENAI_API_VERSION", "2025-04-01")
    assert Settings.from_environment().azure_version == "2025-04-01"
    away = Settings.from_environment(base_url="http://here/v1")
    assert (away.azure_version, away.api_key, away.key_name) == (None, "sk-plain", "OPENAI_API_KEY")
    assert Settings.from_environment(base_url="https://b.test", azure_version="v").azure_version == "v"


def test_settings_need_a_model_and_a_server(env):
    with pytest.raises(UsageError, match="--model, or set AWM_GYM_MODEL"):
        Settings.from_environment()
    with pytest.raises(UsageError, match="set OPENAI_API_KEY, or give --base-url"):
        Settings.from_environment(model="m")
    assert Settings.from_environment(model="m", base_url="http://here/v1").api_key is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"base_url": "127.0.0.1:8000"}, "'127.0.0.1:8000' is no address such as http"),
        ({"base_url": "http://"}, "no address"),
        ({"base_url": "http://host:port/v1"}, "no address"),
        ({"api_key": "sk-secret\n"}, "The key in OPENAI_API_KEY"),
        ({"api_key": ""}, "The key in OPENAI_API_KEY is empty"),
        ({"concurrency": 0}, "concurrency is 0; it must be at least 1"),
        ({"max_tokens": 0}, "max_tokens is 0"),
        ({"max_cost": -1.0}, "max_cost is -1.0"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"timeout": 0}, "timeout is 0; it must be more than 0 seconds"),
    ],
)
def test_settings_refuse_what_cannot_be(given, message):
    with pytest.raises(UsageError, match=message) as error:
        Settings("m", **given)
    assert "secret" not in str(error.value)


def test_settings_never_show_the_key():
    assert "secret" not in repr(Settings("m", api_key="sk-secret"))


def test_a_stage_may_have_a_model_of_its_own():
    models = stage_models(["data=gpt-5-mini", " tools = org/own=2 "], STAGES)
    assert models == {"data": "gpt-5-mini", "tools": "org/own=2"}
    settings = Settings("m", models=models, embedding_model="m")
    assert [settings.model_of(stage) for stage in STAGES] == ["m", "gpt-5-mini", "org/own=2"]
    assert settings.all_models() == ("m", "gpt-5-mini", "org/own=2")


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["gpt-5"], "'gpt-5' is not of the form STAGE=MODEL, such as scenario="),
        (["data="], "not of the form"),
        (["dat=m"], "no stage 'dat'. Did you mean data"),
        (["data=a", "data=b"], "data is given two models, a and b"),
    ],
)
def test_a_slip_in_a_stages_model_is_named(texts, message):
    with pytest.raises(UsageError, match=message):
        stage_models(texts, STAGES)


# Money


def test_every_price_of_the_package_is_read():
    assert Prices().of("gpt-4o-mini") == Price(0.15, 0.6)
    assert Price(2.0, 8.0).of(Usage(500_000, 250_000)) == 3.0


@pytest.mark.parametrize("name", ["gpt-4o", "openai/gpt-4o", "gpt-4o-2024-08-06", "gpt-4o-latest", "gpt-4o-20240806"])
def test_a_model_is_priced_without_its_provider_and_its_date(name):
    assert Prices().of(name) == Price(2.5, 10)


def test_a_longer_name_is_another_model():
    assert Prices().of("gpt-4o-audio") is None


def test_own_prices_stand_over_those_of_the_package(tmp_path):
    own = tmp_path / "own.toml"
    own.write_text('["gpt-4o"]\nprompt = 1\ncompletion = 2.5\n[mine]\nprompt = 0\ncompletion = 0\n', "utf-8")
    prices = Prices(own)
    assert prices.of("gpt-4o") == Price(1, 2.5)
    assert prices.of("mine") == Price(0, 0)
    assert prices.of("o3") == Prices().of("o3")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = ", "own.toml cannot be read as a table of prices"),
        ("a = 1", "'a' must have the form"),
        ("[a]\nprompt = 1", "'a' must have the form"),
        ("[a]\nprompt = true\ncompletion = 1", "'a' must have the form"),
        ("[a]\nprompt = inf\ncompletion = 1", "'a' must have the form"),
        ("[a]\nprompt = -1\ncompletion = 1", r"\[\"a\"\] with prompt and completion, US dollars for a million"),
    ],
)
def test_prices_of_another_form_are_refused(tmp_path, text, message):
    (tmp_path / "own.toml").write_text(text, "utf-8")
    with pytest.raises(UsageError, match=message):
        Prices(tmp_path / "own.toml")


def test_missing_prices_are_refused(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        Prices(tmp_path / "none.toml")


def test_the_ledger_tells_scenarios_and_stages_apart():
    ledger = Ledger(Settings("gpt-4o", models={"data": "own"}))
    assert ledger.unpriced() == ("own",)
    ledger.add("b", "tools", "gpt-4o", Usage(1_000_000, 100_000), kept=False)
    ledger.add("b", "data", "own", Usage(7, 3), kept=False)
    ledger.add("a", "tools", "gpt-4o", Usage(2_000_000, 0), kept=False)
    ledger.add("a", "tools", "gpt-4o", Usage(5, 5), kept=True)
    assert list(ledger.table()) == [("a", "tools"), ("b", "data"), ("b", "tools")]
    assert ledger.spent("a") == Spent(1, 1, Usage(2_000_000, 0), Usage(5, 5), 5.0)
    assert ledger.spent("b") == Spent(2, 0, Usage(1_000_007, 100_003), Usage(), 3.5)
    assert ledger.spent() == ledger.spent("a").plus(ledger.spent("b"))
    assert ledger.spent("c") == Spent()
    assert ledger.by_stage("b") == {"data": Spent(1, 0, Usage(7, 3)), "tools": ledger.table()["b", "tools"]}
    assert ledger.by_stage()["tools"].requests == 2


@pytest.fixture
def hasty():
    """Threads that take turns as often as they can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("hasty")
def test_the_ledger_adds_up_over_threads():
    ledger = Ledger(Settings("gpt-4o"))

    start = threading.Barrier(4)

    def spend(_):
        start.wait(5)
        for _ in range(2000):
            ledger.add("kiosk", "data", "gpt-4o", Usage(3, 2), kept=False)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(spend, range(4)))
    assert ledger.spent() == Spent(8000, 0, Usage(24_000, 16_000), Usage(), Price(2.5, 10).of(Usage(24_000, 16_000)))


def test_a_bounded_cost_needs_a_price_of_every_model():
    for given in ({}, {"models": {"data": "own"}}, {"embedding_model": "own"}):
        settings = Settings("own" if not given else "gpt-4o", max_cost=1.0, **given)
        with pytest.raises(UsageError, match="own has no price, so --max-cost cannot be kept; add one with --prices"):
            Ledger(settings)


@pytest.mark.parametrize(
    ("bound", "message"),
    [({"max_cost": 0.001}, r"The budget of \$0.001 is spent"), ({"max_total_tokens": 400}, "budget of 400 tokens")],
)
def test_nothing_more_is_asked_when_the_budget_is_spent(connect, bound, message):
    it = connect(lambda _: Reply(SHOP, usage=(200, 200)), model="gpt-4o", **bound)
    assert it.model.ask(question("one")) == KIOSK
    with pytest.raises(BudgetSpent, match=message):
        it.model.ask(question("two"))
    assert it.model.ask(question("one")) == KIOSK  # what is kept costs nothing
    assert len(it.server.requests) == 1


def test_what_is_in_flight_when_the_budget_ends_is_kept(connect):
    both = threading.Barrier(2)

    def answer(request):
        both.wait(5)
        return Reply(SHOP, usage=(20, 0), seconds=0.05 if words_of(request) == "shop 1" else 0)

    it = connect(answer, max_total_tokens=15, concurrency=2)
    with pytest.raises(BudgetSpent):
        it.model.ask_all([question(f"shop {number}") for number in range(9)])
    assert len(it.server.requests) == 2
    assert it.ledger.spent().usage == Usage(40, 0)
    assert it.model.ask_all([question("shop 0"), question("shop 1")]) == [KIOSK, KIOSK]
    assert len(it.server.requests) == 2


def test_tokens_are_estimated_where_a_server_does_not_count_them(connect):
    it = connect(lambda _: Reply(SHOP, usage=None))
    it.model.ask(question("x" * 400))
    assert 100 <= it.ledger.spent().usage.prompt <= 120
    assert it.ledger.spent().usage.completion == -(-len(SHOP) // 4)


def test_tokens_that_a_server_leaves_null_are_none(connect):
    reply = json.dumps({"choices": [{"message": {"content": SHOP}}], "usage": {"completion_tokens": None}})
    it = connect(lambda _: Reply(body=reply.encode()))
    assert it.model.ask(question()) == KIOSK
    assert it.ledger.spent() == Spent(requests=1)


# The log


def test_a_log_without_a_path_is_silent_and_one_that_cannot_be_written_is_not(tmp_path):
    Log().write("request", stage="data")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"The log .* cannot be written: "):
        Log(tmp_path / "file" / "log").write("request")


def test_lines_of_many_threads_stay_whole(tmp_path):
    log = Log(tmp_path / "log")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: log.write("note", number=number, words="é\ud800\n" * 500), range(100)))
    lines = (tmp_path / "log").read_text("utf-8").splitlines()
    assert sorted(json.loads(line)["number"] for line in lines) == list(range(100))


# Schemas


def test_a_strict_schema_requires_every_key_and_allows_no_other():
    class Size(Enum):
        SMALL = "s"
        LARGE = "l"

    class Cat(BaseModel):
        kind: Literal["cat"]

    class Dog(BaseModel):
        kind: Literal["dog"]
        friend: "Dog | None" = None

    class Home(BaseModel):
        properties: str = "a key of that name"
        title: str | None = None
        size: Size = Field(Size.SMALL, description="How large.")
        pet: Cat | Dog = Field(discriminator="kind")
        pets: list[Dog] = Field([], max_length=3)

    schema = strict_schema(Home)
    assert schema["required"] == ["properties", "title", "size", "pet", "pets"]
    assert schema["additionalProperties"] is False
    assert schema["properties"] == {
        "properties": {"type": "string"},
        "title": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "size": {"anyOf": [{"$ref": "#/$defs/Size"}], "description": "How large."},
        "pet": {"anyOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}]},
        "pets": {"type": "array", "items": {"$ref": "#/$defs/Dog"}, "maxItems": 3},
    }
    assert schema["$defs"]["Dog"]["required"] == ["kind", "friend"]
    assert schema["$defs"]["Size"] == {"enum": ["s", "l"], "type": "string"}


@pytest.mark.parametrize("shape", [dict[str, int], Any, list, list[Any], tuple[int, str], int | dict[str, Any]])
def test_a_part_of_any_shape_has_no_strict_schema(shape):
    class Loose(BaseModel):
        good: str
        bad: shape

    with pytest.raises(UsageError, match=r"Loose\.bad.* may have any shape"):
        strict_schema(Loose)


# Reading


def said(text, finish="stop"):
    return Said(text, (), finish, Usage(), kept=False)


@pytest.mark.parametrize(
    "text",
    [
        SHOP,
        f"\n {SHOP} \n",
        f"```json\n{SHOP}\n```",
        f"```\n{SHOP}\n```\nI hope that this helps.",
        f"Here it is:\n\n{SHOP}\n\nThe {{till}} may be left out.",
        f'For {{you}}, as "asked: {SHOP}',
        f'{{"name": 1}} is wrong, but this is right: {SHOP}',
        f'<think>First {{"name": "Draft"}}, no.</think>\n{SHOP}',
        f"{SHOP}\n{SHOP.replace('Kiosk', 'Other')}",
    ],
)
def test_a_value_is_found_with_words_around_it(text):
    assert read(said(text), Shop) == KIOSK


def test_brackets_and_quotes_in_strings_are_text():
    name = 'a } " ] { [ \\ ```\nb'
    assert read(said(f"So: {json.dumps({'name': name})} there."), Shop).name == name


def test_numbers_are_read_as_json_writes_them():
    class Sizes(BaseModel):
        whole: int
        part: float

    assert read(said('{"whole": 2.0, "part": -1.5e2}'), Sizes) == Sizes(whole=2, part=-150.0)


def test_a_whole_answer_that_ends_at_the_token_limit_is_read():
    assert read(said(SHOP, "length"), Shop) == KIOSK


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The answer is empty."),
        (" \n", "The answer is empty."),
        ("I cannot.", "The answer holds no JSON object; give one, and nothing else."),
        ("[1]", "The answer holds no JSON object; give one, and nothing else."),
        ('{"name": "a",}', "The answer is not JSON: there is a comma before a closing bracket at line 1 column"),
        ('{"parts": [1,\n ]}', "The answer is not JSON: there is a comma before a closing bracket at line"),
        ('{\n "name": "a"\n "kind": 1}', "The answer is not JSON: Expecting ',' delimiter at line 3 column 2."),
        ('{"name": "a\nb"}', "The answer is not JSON: a line break or another control character stands in a string"),
        ('{"name": "\\x"}', "The answer is not JSON: Invalid \\escape at line 1 column"),
        ('{"parts": [1 , ] }', "The answer is not JSON: there is a comma before a closing bracket at line 1 column"),
        ('So:\n{"name": a}', "The answer is not JSON: Expecting value at line 2 column 10."),
        ('Well {"name": {"name": "Inner"}', "The object that begins at line 1 column 6 is not closed."),
        ('{"name": "Kiosk', "The object that begins at line 1 column 1 is not closed."),
        ('{"name": "a", "name": "b"}', "The answer is not JSON: the key 'name' stands twice in one object."),
        ('{"name": NaN}', "The answer is not JSON: NaN is no number of JSON."),
        ('{"name": -Infinity}', "The answer is not JSON: -Infinity is no number of JSON."),
        ('{"name": 1e999}', "The answer is not JSON: the number '1e999' is too large."),
        ('{"name": ' + "[" * 99 + "]" * 99 + "}", f"The answer is nested more than {MAX_DEPTH} levels deep."),
        ('{"name": ' + "9" * 5000 + "}", "The answer is not JSON: Exceeds the limit"),
    ],
)
def test_what_is_no_json_is_said_with_its_place(text, message):
    with pytest.raises(Unreadable) as error:
        read(said(text), Shop)
    problem = str(error.value).replace("The answer is not JSON: the object that", "The object that")
    assert problem.startswith(message)
    assert error.value.text == text


@pytest.mark.parametrize(
    ("text", "slips"),
    [
        ('{"name": "x"}', ["name: String should have at least 2 characters, not 'x'"]),
        ('{"name": "none"}', ["name: give it a name of its own"]),
        ("{}", ["name: this key is missing"]),
        ('{"name": "ab", "color": 1}', ["color: there is no such key; leave it out"]),
        ('{"name": "ab", "kind": "tiny"}', ["kind: Input should be 'small' or 'large', not 'tiny'"]),
        ('{"name": ["ab"]}', ["name: Input should be a valid string"]),
        (
            '{"name": "ab", "parts": [{"name": "a", "size": 1}, {"name": "b", "size": -1}]}',
            ["parts.1.size: Input should be greater than or equal to 0, not -1"],
        ),
        ('{"name": "a\\ud800"}', ["the answer: Invalid JSON"]),
    ],
)
def test_what_does_not_fit_is_said_as_a_model_can_act_on_it(text, slips):
    with pytest.raises(Unreadable) as error:
        read(said(text), Shop)
    first, *lines = str(error.value).splitlines()
    assert first == "The answer does not fit:"
    assert len(lines) == len(slips)
    assert all(line.startswith(slip) for line, slip in zip(lines, slips, strict=True))


@pytest.mark.parametrize("bad", [6, 7, 40])
def test_of_many_slips_six_lines_are_told(bad):
    parts = [{"name": "a", "size": -1}] * bad
    with pytest.raises(Unreadable) as error:
        read(said(json.dumps({"name": "ab", "parts": parts})), Shop)
    lines = str(error.value).splitlines()[1:]
    assert len(lines) == 6
    assert lines[-1].startswith("parts.5.size: " if bad == 6 else f"... and {bad - 5} more")


PIECES = [*'{}[]",:\\ \n', "1", "-", "e9", "null", "NaN", '"name"', '"a"', "```", "\ud800"]


@hypothesis.given(st.lists(st.sampled_from(PIECES), max_size=40))
def test_whatever_is_said_is_read_or_unreadable(parts):
    with contextlib.suppress(Unreadable):
        assert isinstance(read(said("".join(parts)), Shop), Shop)


@pytest.mark.parametrize("text", ["{" * 200_000, '{"a":' * 100_000, "{}" * 20_000, '"' * 200_000 + "{", "[" * 200_000])
def test_an_answer_that_is_hard_to_read_is_refused_at_once(text):
    with pytest.raises(Unreadable):
        read(said(text), Shop)


def test_of_several_objects_the_longest_is_complained_of():
    with pytest.raises(Unreadable, match="fit:\nkind: Input should be 'small'"):
        read(said('{"name": 5} and {"name": "long enough", "kind": "tiny"}'), Shop)


def test_an_answer_that_was_cut_says_so():
    with pytest.raises(Unreadable, match=r"not closed. The answer was cut at the token limit: answer again, shorter."):
        read(said(SHOP[:30], "length"), Shop)
    with pytest.raises(Unreadable, match=r"The answer is empty. The answer was cut at the token limit"):
        read(said("", "length"), Shop)


def test_a_refusal_and_a_filter_are_no_answers():
    with pytest.raises(Unreadable, match="The model refused: I would rather not") as error:
        read(said("I would rather not", "refusal"), Shop)
    assert error.value.text == "I would rather not"
    with pytest.raises(Unreadable, match="content filter"):
        read(said(SHOP, "content_filter"), Shop)


# Asking


def test_a_value_is_asked_for_with_its_strict_schema(connect):
    it = connect(lambda _: SHOP, temperature=0.5, max_tokens=100, effort="low", api_key="sk-secret")
    assert it.model.ask(question()) == KIOSK
    (request,) = it.server.requests
    form = {"name": "Shop", "schema": strict_schema(Shop), "strict": True}
    assert request == {
        "model": "m",
        "messages": [{"role": "user", "content": "Make a shop."}],
        "response_format": {"type": "json_schema", "json_schema": form},
        "temperature": 0.5,
        "max_tokens": 100,
        "reasoning_effort": "low",
    }
    assert it.server.headers[0]["authorization"] == "Bearer sk-secret"
    (entry,) = it.logged("request")
    assert (entry["scenario"], entry["stage"], entry["finish"], entry["kept"]) == ("kiosk", "data", "stop", False)
    assert (entry["answer"], entry["messages"]) == (SHOP, request["messages"])
    assert "sk-secret" not in it.log.read_text("utf-8")


def test_a_stage_asks_its_own_model(connect):
    it = connect(lambda request: SHOP.replace("Kiosk", request["model"]), models={"data": "own"})
    assert it.model.ask(question(stage="data")).name == "own"
    assert [request["model"] for request in it.server.requests] == ["own"]


def test_the_same_is_asked_once_and_kept_over_runs(connect):
    it = connect(lambda _: SHOP)
    assert it.model.ask(question()) == it.model.ask(question()) == KIOSK
    again = connect(None, server=it.server)
    assert again.model.ask(question(scenario="other")) == KIOSK
    assert len(it.server.requests) == 1
    assert it.ledger.spent("kiosk") == Spent(1, 1, Usage(10, 5), Usage(10, 5))
    assert again.ledger.spent() == Spent(0, 1, Usage(), Usage(10, 5))
    assert [entry["kept"] for entry in it.logged("request")] == [False, True, True]


def test_the_same_is_asked_once_by_many_at_a_time(connect):
    it = connect(lambda _: Reply(SHOP, seconds=0.02))
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(it.model.ask, [question()] * 8)) == [KIOSK] * 8
    assert it.model.ask_all([question()] * 3) == [KIOSK] * 3
    assert len(it.server.requests) == 1


@pytest.mark.parametrize(
    "given", [{"temperature": 0.1}, {"max_tokens": 9}, {"effort": "high"}, {"model": "n"}, {"base_url": "other"}]
)
def test_another_question_is_asked_anew(connect, given):
    it = connect(lambda _: SHOP)
    it.model.ask(question())
    if "base_url" in given:
        given = {"base_url": it.server.url + "/"}
    connect(None, server=it.server, **given).model.ask(question())
    assert len(it.server.requests) == 2


def test_several_answers_to_the_same_messages_are_told_apart(connect):
    names = iter("ABCD")
    it = connect(lambda _: SHOP.replace("Kiosk", next(names) * 2))
    assert [it.model.ask(question(number=number)).name for number in (0, 1, 0, 1)] == ["AA", "BB", "AA", "BB"]


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"text": "x"}', b"\xff", b'{"text":"","calls":[1],"usage":[1]}']
)
def test_a_damaged_answer_on_disk_is_asked_anew(connect, tmp_path, damage):
    it = connect(lambda _: SHOP)
    it.model.ask(question())
    (place,) = (tmp_path / "answers").glob("*/*.json")
    whole = place.read_bytes()
    place.write_bytes(damage)
    assert it.model.ask(question()) == KIOSK
    assert len(it.server.requests) == 2
    assert place.read_bytes() == whole
    assert list((tmp_path / "answers").glob("*/*")) == [place]


def test_the_cache_of_the_user_is_where_answers_are_kept(env, tmp_path):
    env.setenv("AWM_GYM_HOME", str(tmp_path / "home"))
    with FakeServer(lambda _: SHOP) as server:
        settings = Settings("m", base_url=server.url)
        with Model(settings, Ledger(settings)) as model:
            assert model.ask(question()) == KIOSK
    assert len(list((places.cache() / "answers").glob("*/*.json"))) == 1


def test_a_cache_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"cannot be written .* set AWM_GYM_HOME"):
        Answers(tmp_path / "file").keep_said("ab", said("x"))


def test_a_key_is_of_the_content_alone():
    assert key_of({"a": 1, "b": ("x", "é\ud800")}) == key_of({"b": ["x", "é\ud800"], "a": 1})
    assert key_of({"a": 1}) != key_of({"a": "1"})


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(SHOP[:20], finish="length"), "cut at the token limit"),
        (Reply(refusal="Not this."), "The model refused: Not this."),
        (Reply(None), "The answer is empty"),
        (Reply("no"), "no JSON object"),
    ],
)
def test_an_unreadable_answer_is_kept_too(connect, reply, message):
    it = connect(lambda _: reply)
    for _ in range(2):
        with pytest.raises(Unreadable, match=message) as error:
            it.model.ask(question())
        assert error.value.text == (reply.refusal or reply.text or "")
    assert len(it.server.requests) == 1
    assert it.ledger.spent().requests == 1


def test_many_are_asked_together_and_answered_in_order(connect):
    def answer(request):
        number = int(words_of(request).split()[0])  # after the third the schema is told too
        return Reply("no" if number == 3 else SHOP.replace("Kiosk", f"Shop {number}"), seconds=0.03 - number / 1000)

    it = connect(answer, concurrency=4)
    answers = it.model.ask_all(question(str(number)) for number in range(20))
    assert isinstance(answers.pop(3), Unreadable)
    assert [shop.name for shop in answers] == [f"Shop {number}" for number in range(20) if number != 3]
    assert 1 < it.server.busiest <= 4
    assert it.model.ask_all([]) == []


def test_one_error_stops_the_rest(connect):
    def answer(request):
        return failure(401, "bad key") if words_of(request) == "1" else Reply(SHOP, seconds=30)

    it = connect(answer, concurrency=3)
    with pytest.raises(ModelError, match="does not accept the key; set OPENAI_API_KEY"):
        it.model.ask_all([question(str(number)) for number in range(50)])
    assert len(it.server.requests) <= 3


def test_many_threads_share_a_model(connect):
    it = connect(lambda request: SHOP.replace("Kiosk", words_of(request)), concurrency=5)
    with ThreadPoolExecutor(16) as pool:
        names = [f"Shop {number}" for number in range(64)]
        assert [shop.name for shop in pool.map(it.model.ask, map(question, names))] == names
    assert it.server.busiest <= 5
    assert it.ledger.spent() == Spent(64, 0, Usage(640, 320))


def test_a_client_lives_in_the_loop_of_its_caller(tmp_path):
    async def main(server):
        settings = Settings("m", base_url=server.url)
        client = Client(settings, Ledger(settings), Log(), tmp_path)
        try:
            return await client.ask_all([question("a"), question("b")])
        finally:
            await client.close()

    with FakeServer(lambda _: SHOP) as server:
        assert asyncio.run(main(server)) == [KIOSK, KIOSK]


def test_answers_that_are_kept_need_no_server_and_no_library(connect, tmp_path):
    it = connect(lambda _: SHOP)
    it.model.ask(question())
    script = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from awm_gym.llm import Ledger, Log, Model, Settings
import test_llm
del sys.modules["openai"]
settings = Settings("m", base_url={it.server.url!r})
with Model(settings, Ledger(settings), Log(), Path({str(tmp_path / "answers")!r})) as model:
    assert model.ask(test_llm.question()) == test_llm.KIOSK
assert "openai" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
    assert len(it.server.requests) == 1


# What servers differ in

NO_SCHEMA = failure(400, "response_format.type 'json_schema' is not supported", param="response_format")
NO_JSON = failure(422, "Unknown name response_format")


def test_a_server_without_schemas_is_asked_for_json_and_told_the_schema(connect):
    it = connect(lambda request: NO_SCHEMA if "json_schema" in str(request.get("response_format")) else SHOP)
    assert it.model.ask(question("one")) == it.model.ask(question("two")) == KIOSK
    assert [request["response_format"]["type"] for request in it.server.requests] == [
        "json_schema",
        "json_object",
        "json_object",
    ]
    told = words_of(it.server.requests[1])
    assert told.startswith("one\n\nAnswer with one JSON object")
    assert json.loads(told.partition(":\n")[2]) == strict_schema(Shop)
    assert [entry["format"] for entry in it.logged("manners")] == ["json_object"]


def test_a_server_without_formats_is_asked_in_words(connect):
    it = connect(lambda request: NO_JSON if "response_format" in request else f"```json\n{SHOP}\n```")
    assert it.model.ask(question("one")) == it.model.ask(question("two")) == KIOSK
    assert ["response_format" in request for request in it.server.requests] == [True, True, False, False]


def test_a_server_that_ignores_formats_is_told_the_schema_from_then_on(connect):
    it = connect(lambda _: f"Here:\n```json\n{SHOP}\n```")
    assert it.model.ask(question("one")) == it.model.ask(question("two")) == KIOSK
    assert ["response_format" in request for request in it.server.requests] == [True, False]
    assert "JSON Schema" in words_of(it.server.requests[1])


@pytest.mark.parametrize("reply", [Reply(""), Reply(SHOP[:9], finish="length"), Reply(refusal="No.")])
def test_an_answer_without_words_to_judge_by_changes_no_format(connect, reply):
    it = connect(in_turn(reply, SHOP))
    with pytest.raises(Unreadable):
        it.model.ask(question("one"))
    assert it.model.ask(question("two")) == KIOSK
    assert it.server.requests[1]["response_format"]["type"] == "json_schema"


def test_models_have_manners_of_their_own(connect):
    it = connect(
        lambda request: NO_SCHEMA if request["model"] == "m" and "json_schema" in str(request) else SHOP,
        models={"data": "own"},
    )
    assert it.model.ask(question(stage="tools")) == it.model.ask(question(stage="data")) == KIOSK
    assert [(request["model"], request["response_format"]["type"]) for request in it.server.requests] == [
        ("m", "json_schema"),
        ("m", "json_object"),
        ("own", "json_schema"),
    ]


def test_what_many_requests_learn_at_a_time_is_learnt_once(connect):
    all_sent = threading.Barrier(4)

    def answer(request):
        if request.get("response_format", {}).get("type") == "json_schema":
            all_sent.wait(5)
            return NO_SCHEMA
        return SHOP

    it = connect(answer, concurrency=4)
    assert it.model.ask_all([question(str(number)) for number in range(4)]) == [KIOSK] * 4
    assert len(it.logged("manners")) == 1
    assert all("response_format" in request for request in it.server.requests)


def refusing(*parameters):
    """A server that knows some parameters not, in OpenAI's words."""

    def answer(request):
        for name in parameters:
            if name in request:
                hint = " Use 'max_completion_tokens' instead." if name == "max_tokens" else ""
                return failure(
                    400, f"Unsupported parameter: '{name}' is not supported with this model.{hint}", param=name
                )
        return SHOP

    return answer


def test_parameters_that_a_model_refuses_are_renamed_or_left_away(connect):
    it = connect(refusing("max_tokens", "temperature", "reasoning_effort"), temperature=0.1, max_tokens=9, effort="low")
    assert it.model.ask(question("one")) == it.model.ask(question("two")) == KIOSK
    *_, before, last = it.server.requests
    assert len(it.server.requests) == 5
    assert before["max_completion_tokens"] == last["max_completion_tokens"] == 9
    assert not last.keys() & {"max_tokens", "temperature", "reasoning_effort"}


def test_a_server_that_knows_no_limit_is_given_none(connect):
    it = connect(refusing("max_tokens", "max_completion_tokens"), max_tokens=9)
    assert it.model.ask(question()) == KIOSK
    assert not it.server.requests[-1].keys() & {"max_tokens", "max_completion_tokens"}


@pytest.mark.parametrize(
    "message",
    [
        "max_tokens is too large: 9. This model supports at most 4 completion tokens, whereas you provided 9.",
        "temperature must be between 0 and 2",
        "'max_tokens' is too large: 9. This model's maximum context length is 4 tokens.",
    ],
)
def test_a_complaint_of_a_value_is_the_users_to_mend(connect, message):
    it = connect(lambda _: failure(400, message), max_tokens=9, temperature=3.0)
    with pytest.raises(ModelError, match="m refuses the request: .*" + message[:20]):
        it.model.ask(question())
    assert len(it.server.requests) == 1


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("This model's maximum context length is 4 tokens. However, you requested 5.", None),
        ("the request exceeds the available context size", None),
        ("Input tokens exceed the limit", "context_length_exceeded"),
        ("The prompt was filtered", "content_filter"),
    ],
)
def test_a_question_that_cannot_be_answered_leaves_the_others(connect, message, code):
    it = connect(lambda request: failure(400, message, code=code) if words_of(request) == "long" else SHOP)
    lost, found = it.model.ask_all([question("long"), question("short")])
    assert isinstance(lost, Unreadable)
    assert str(lost) == f"m cannot answer this question: {message!r}".replace("\\'", "'")
    assert found == KIOSK
    with pytest.raises(Unreadable):
        it.model.talk("kiosk", "play", [{"role": "user", "content": "long"}], [LOOK])


def test_a_complaint_that_never_ends_is_an_error(connect):
    it = connect(lambda _: NO_SCHEMA)
    with pytest.raises(ModelError, match="m refuses the request"):
        it.model.ask(question())
    assert len(it.server.requests) == 3


def test_words_in_parts_are_joined(connect):
    parts = [
        {"type": "thinking", "thinking": []},
        {"type": "text", "text": SHOP[:9]},
        {"type": "text", "text": SHOP[9:]},
    ]
    it = connect(lambda _: Reply(extra={"content": parts}))
    assert it.model.ask(question()) == KIOSK


def test_azure_is_asked_at_its_own_addresses(connect):
    with FakeServer(lambda _: SHOP) as server:
        it = connect(None, server=server, base_url=server.endpoint, azure_version="2024-10-21", api_key="sk-azure")
        assert it.model.ask(question()) == KIOSK
    assert server.paths == ["/openai/deployments/m/chat/completions?api-version=2024-10-21"]
    assert server.headers[0]["api-key"] == "sk-azure"


def test_openais_own_server_is_asked_where_none_is_named(env):
    env.setenv("OPENAI_BASE_URL", "http://elsewhere.test/v1")  # read by `from_environment` alone
    settings = Settings("m", api_key="sk-1")
    client = Client(settings, Ledger(settings), Log())
    assert str(client._server._connection.base_url) == "https://api.openai.com/v1/"
    asyncio.run(client.close())


# Trouble


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 529])
def test_a_server_in_trouble_is_asked_again(connect, status):
    it = connect(in_turn(failure(status, "busy"), Reply(dropped=True), SHOP))
    assert it.model.ask(question()) == KIOSK
    assert len(it.server.requests) == 3
    assert [entry["tries"] for entry in it.logged("wait")] == [1, 2]
    assert f"status {status}: 'busy'" in it.logged("wait")[0]["reason"]


def test_a_server_that_stays_in_trouble_is_given_up(connect):
    it = connect(lambda _: failure(503, "busy"))
    with pytest.raises(
        ModelError, match=rf"m does not answer \({MAX_TRIES} tries\): status 503: 'busy'. Run again to go"
    ):
        it.model.ask(question())
    assert len(it.server.requests) == MAX_TRIES
    assert it.ledger.spent() == Spent()


def test_a_server_that_is_not_there_is_named(connect):
    with FakeServer(lambda _: SHOP) as server:
        url = server.url
    it = connect(None, server=server)
    with pytest.raises(ModelError, match=f"at {url}; see --base-url") as error:
        it.model.ask(question())
    assert isinstance(error.value.__cause__, openai.APIConnectionError)


def test_a_server_that_is_too_slow_is_given_up(connect):
    it = connect(lambda _: Reply(SHOP, seconds=30), timeout=0.02)
    with pytest.raises(ModelError, match=r"does not answer \(6 tries\)"):
        it.model.ask(question())


def test_a_server_says_how_long_to_wait(connect):
    it = connect(in_turn(failure(429, "slow", retry_after_ms="3"), failure(429, "slow", retry_after="0.004"), SHOP))
    assert it.model.ask(question()) == KIOSK
    it = connect(lambda _: failure(429, "come tomorrow", retry_after="86400"))
    with pytest.raises(ModelError, match=r"\(1 tries; it asks to wait 86400 s\): status 429: 'come tomorrow'"):
        it.model.ask(question("two"))


def test_waits_grow_and_are_spread_but_heed_the_server(connect, monkeypatch):
    waits = []

    async def sleep(seconds):
        waits.append(seconds)

    monkeypatch.setattr("awm_gym.llm.server.asyncio.sleep", sleep)
    busy = failure(503, "busy")
    it = connect(in_turn(busy, failure(503, "busy", retry_after="77"), busy, failure(503, "x", retry_after="0"), SHOP))
    it.model.ask(question())
    slow = connect(lambda _: busy, patience=1.0)
    with pytest.raises(ModelError):
        slow.model.ask(question("two"))
    assert waits[1] == 77.0
    own = [(waits[0], 0.002), (waits[2], 0.008), (waits[3], 0.016)]
    own += list(zip(waits[4:], [2.0, 4.0, 8.0, 16.0, 32.0], strict=True))
    assert all(0.75 * about <= wait <= 1.25 * about for wait, about in own)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon", "date": "Sat, 21 Nov 2026 10:00:00 GMT"}, None),
        ({"retry-after": "Sat, 21 Nov 2026 10:00:09 GMT"}, None),
        ({"retry-after": "Sat, 21 Nov 2026 10:00:09 GMT", "date": "Sat, 21 Nov 2026 10:00:00 GMT"}, 9.0),
        ({"retry-after": "Sat, 21 Nov 2026 09:00:00 GMT", "date": "Sat, 21 Nov 2026 10:00:00 GMT"}, 0.0),
        ({"retry-after": "Sat, 21 Nov 2026 09:00:00 -0000", "date": "Sat, 21 Nov 2026 10:00:00 GMT"}, None),
    ],
)
def test_a_wait_is_read_in_all_its_forms(headers, seconds):
    assert asked_wait(headers) == seconds


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (failure(401, "no key"), r"m: the server does not accept the key; set OPENAI_API_KEY \('no key'\)"),
        (failure(403, "not yours"), "the key in OPENAI_API_KEY may not use this model; set another, or give --model"),
        (failure(404, "no m"), r"no such model; see --model \(AWM_GYM_MODEL\) and --base-url \(OPENAI_BASE_URL\)"),
        (failure(429, "quota", code="insufficient_quota"), "account of the key in OPENAI_API_KEY has no money left"),
        (failure(418, "teapot"), r"refuses with status 418 \('teapot'\)"),
        (Reply(status=413, body=b"<html>too large</html>"), "status 413 .*<html>too large</html>"),
        (Reply(status=413, body=b'{"error": "as text"}'), "status 413 .*as text"),
        (Reply(status=413, body=b'{"error": {"message": 5}}'), "status 413 .*5"),
    ],
)
def test_a_refusal_for_good_names_the_remedy_at_once(connect, reply, message):
    it = connect(lambda _: reply, api_key="sk-1")
    with pytest.raises(ModelError, match=message):
        it.model.ask(question())
    assert len(it.server.requests) == 1


def test_a_key_that_a_server_repeats_is_not_shown(connect):
    it = connect(in_turn(failure(500, "I know sk-secret"), failure(401, "wrong key: sk-secret")), api_key="sk-secret")
    with pytest.raises(ModelError, match=r"wrong key: \*\*\*"):
        it.model.ask(question())
    assert "I know ***" in it.log.read_text("utf-8")
    assert "sk-secret" not in it.log.read_text("utf-8")


@pytest.mark.parametrize("kind", ["application/json", "text/html", "text/event-stream"])
@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{}", b'{"choices": []}', b"data: {}\n\n", b"[1", b"\xff\xfe", b"null"]
)
def test_a_server_that_sends_garbage_is_an_error(connect, body, kind):
    it = connect(lambda _: Reply(body=body, headers={"content-type": kind}))
    with pytest.raises(ModelError, match="The server sent no chat completion but"):
        it.model.ask(question())
    assert len(it.server.requests) == 1


def test_a_model_that_is_closed_answers_nothing(connect):
    it = connect(lambda _: SHOP)
    it.model.close()
    it.model.close()
    with pytest.raises(ModelError, match="The model is closed"):
        it.model.ask(question())


def test_closing_stops_what_is_under_way(connect):
    sent = threading.Barrier(4)

    def answer(_):
        sent.wait(5)
        return Reply(SHOP, seconds=30)

    it = connect(answer, concurrency=3)
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(it.model.ask, question(str(number))) for number in range(2)]
        waiting.append(pool.submit(it.model.ask_all, [question(str(number)) for number in range(2, 8)]))
        sent.wait(5)
        it.model.close()
        for one in waiting:
            with pytest.raises(ModelError, match="The model is closed"):
                one.result(5)
    assert not [thread for thread in threading.enumerate() if thread.name == "awm_gym-llm"]


def test_an_interrupt_of_who_waits_stops_the_work(tmp_path):
    script = """
import sys
from awm_gym.llm import Ledger, Log, Model, Request, Settings
from pydantic import BaseModel
class Nothing(BaseModel):
    pass
def question(words):
    return Request("s", "data", ({"role": "user", "content": words},), Nothing)
settings = Settings("m", base_url=sys.argv[1], concurrency=1)
with Model(settings, Ledger(settings)) as model:
    try:
        model.ask(question("slow"))
    except KeyboardInterrupt:
        print("interrupted", model.ask(question("quick")))
"""
    pids = []

    def answer(request):
        if words_of(request) == "quick":
            return "{}"
        os.kill(pids[0], signal.SIGINT)
        return Reply("{}", seconds=30)

    with FakeServer(answer) as server:
        command = [sys.executable, "-c", script, server.url]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, env={**os.environ, "AWM_GYM_HOME": str(tmp_path)}
        ) as one:
            pids.append(one.pid)
            assert one.communicate(timeout=20)[0] == b"interrupted \n"
        assert one.returncode == 0
    assert len(list(tmp_path.rglob("*.json"))) == 1


def test_a_process_that_is_killed_leaves_no_broken_answer(tmp_path):
    script = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from awm_gym.llm import Said, Usage
from awm_gym.llm.answers import Answers, key_of
answers = Answers(Path({str(tmp_path)!r}))
for number in range(10**9):
    answers.keep_said(key_of(number % 5), Said("x" * 2_000_000, (), "stop", Usage(1, 2), False))
    print(number, flush=True)
"""
    answers = Answers(tmp_path)
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            for _ in range(60):  # who reads meanwhile finds it whole, too
                assert len(answers.said(key_of(0)).text) == 2_000_000
            process.send_signal(signal.SIGKILL)
        kept = list(tmp_path.glob("*/*.json"))
        assert kept
        assert all(len(answers.said(place.stem).text) == 2_000_000 for place in kept)


# Conversations


def test_a_conversation_is_words_or_calls_of_tools(connect):
    it = connect(in_turn(Reply(calls=(("c1", "look", '{"at": 1}'),)), Reply("Seen.")))
    messages = [{"role": "user", "content": "Look."}]
    first = it.model.talk("kiosk", "play", messages, [LOOK])
    assert first == Said("", (("c1", "look", '{"at": 1}'),), "tool_calls", Usage(10, 5), kept=False)
    assert it.model.talk("kiosk", "play", messages, [LOOK]) == first._replace(kept=True)
    assert it.server.requests == [{"model": "m", "messages": messages, "tools": [LOOK]}]
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at": 1}'}}
    messages += [{"role": "assistant", "content": None, "tool_calls": [call]}]
    messages += [{"role": "tool", "tool_call_id": "c1", "content": "a shelf"}]
    assert it.model.talk("kiosk", "play", messages, [LOOK]).text == "Seen."
    assert it.model.talk("kiosk", "play", messages, []).finish == "stop"
    assert "tools" not in it.server.requests[-1]
    assert it.ledger.by_stage("kiosk") == {"play": Spent(3, 1, Usage(30, 15), Usage(10, 5))}


def test_calls_get_ids_of_their_own_and_arguments(connect):
    sent = [
        {"id": "", "function": {"name": "a", "arguments": ""}},
        {"id": "x", "function": {"name": "b", "arguments": '{"n": 1'}},
        {"id": "x", "function": {"name": "c", "arguments": {"n": 1}}},
        {"function": {"name": "d"}},
    ]
    it = connect(lambda _: Reply(None, extra={"tool_calls": sent}))
    calls = it.model.talk("kiosk", "play", [{"role": "user", "content": "?"}], [LOOK]).calls
    assert calls == (("call_0", "a", "{}"), ("x", "b", '{"n": 1'), ("call_2", "c", '{"n": 1}'), ("call_3", "d", "{}"))


def test_a_format_is_never_unlearnt_in_a_conversation(connect):
    it = connect(lambda _: "Just words.")
    it.model.talk("kiosk", "play", [{"role": "user", "content": "?"}], [])
    assert it.logged("request")
    assert not it.logged("manners")


# Embeddings


def test_texts_are_embedded_in_batches_once_each(connect):
    it = connect(None, embedding_model="text-embedding-3-small")
    texts = [f"shop number {number}" for number in range(BATCH + 10)]
    vectors = it.model.embed([*texts, texts[0]])
    assert vectors == [embedding(text) for text in [*texts, texts[0]]]
    assert sorted(len(batch) for batch in it.server.embedded) == [10, BATCH]
    assert it.model.embed(["new", texts[5]]) == [embedding("new"), embedding(texts[5])]
    assert it.server.embedded[-1] == ["new"]
    assert it.model.embed([]) == []
    assert it.ledger.spent("-").requests == 3
    assert it.ledger.by_stage()["embed"].usage == Usage(3 * (BATCH + 10) + 1, 0)
    assert it.ledger.spent().dollars > 0


def test_a_batch_that_was_paid_is_kept_though_another_fails(connect):
    it = connect(None, embed=in_turn(None, failure(401, "no key"), None), embedding_model="e", concurrency=1)
    texts = [str(number) for number in range(BATCH + 1)]
    with pytest.raises(ModelError, match="does not accept the key"):
        it.model.embed(texts)
    assert it.model.embed(texts) == [embedding(text) for text in texts]
    assert [len(batch) for batch in it.server.embedded] == [BATCH, 1, 1]


def test_texts_need_a_model_that_embeds_them(connect):
    with pytest.raises(UsageError, match="give --embedding-model"):
        connect(None).model.embed(["a"])


def test_an_embedding_that_is_damaged_on_disk_is_made_anew(connect, tmp_path):
    it = connect(None, embedding_model="e")
    it.model.embed(["a"])
    (place,) = (tmp_path / "answers").glob("*/*.json")
    place.write_bytes(b'{"embedding": ["x"]}')
    assert it.model.embed(["a"]) == [embedding("a")]
    assert len(it.server.embedded) == 2


def test_embeddings_may_come_in_any_order_but_each_once(connect):
    def body(*indexes):
        data = [{"index": index, "embedding": [float(index)]} for index in indexes]
        return Reply(body=json.dumps({"data": data}).encode())

    it = connect(None, embed=in_turn(body(1, 0), body(0), body(0, 0), Reply(body=b"{}")), embedding_model="e")
    assert it.model.embed(["a", "b"]) == [[0.0], [1.0]]
    assert it.ledger.spent().usage == Usage(1, 0)  # estimated
    for texts in (["c", "d"], ["e", "f"]):
        with pytest.raises(ModelError, match="embeddings for 2 texts, or numbered them wrongly"):
            it.model.embed(texts)
    with pytest.raises(ModelError, match="no list of embeddings"):
        it.model.embed(["g"])


def test_a_complaint_about_texts_is_an_error(connect):
    it = connect(None, embed=lambda _: failure(400, "input too long"), embedding_model="e")
    with pytest.raises(ModelError, match="e refuses the request: 'input too long'"):
        it.model.embed(["a"])


# The scripted server itself


def test_the_scripted_server_streams_and_lists_its_models():
    with FakeServer(lambda _: Reply("Hello", calls=(("c", "look", "{}"),))) as server:
        with openai.OpenAI(base_url=server.url, api_key="k", max_retries=0) as client:
            ask = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
            with client.chat.completions.create(**ask, stream=True) as stream:
                chunks = list(stream)
            assert [model.id for model in client.models.list()] == ["fake"]
        assert chunks[0].choices[0].delta.content == "Hello"
        assert chunks[0].choices[0].delta.tool_calls[0].function.name == "look"
        assert chunks[1].choices[0].finish_reason == "tool_calls"
        assert chunks[2].usage.total_tokens == 15


def test_a_fault_of_the_script_is_raised_where_the_server_is_left():
    def answer(_):
        raise ZeroDivisionError("in the script")

    def run():
        with FakeServer(answer) as server:
            settings = Settings("m", base_url=server.url)
            with Model(settings, Ledger(settings)) as model, pytest.raises(ModelError, match="own function failed"):
                model.ask(question("never answered"))

    with pytest.raises(ZeroDivisionError, match="in the script"):
        run()


def test_an_address_that_the_scripted_server_does_not_know_is_not_found():
    with FakeServer(lambda _: SHOP) as server:
        request = urllib.request.Request(f"{server.url}/completions", data=b"{}", method="POST")
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request)
        error.value.close()
        assert error.value.code == 404
