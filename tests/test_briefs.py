"""Briefs: the seeds, the files, what is alike, and how a model's inventions are sieved."""

import itertools
import json
import random
import re
import string
import tomllib
from collections import Counter
from pathlib import Path

import pytest
from fake_openai import FakeServer, Reply
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from awm_gym.errors import BudgetSpent, ModelError, ScenarioError, Unreadable, UsageError
from awm_gym.llm import Ledger, Model, Request, Settings
from awm_gym.places import root
from awm_gym.scenario import plain
from awm_gym.synth.briefs import CATEGORIES, Brief, normalised, read_briefs, seed_briefs, seeds, write_briefs
from awm_gym.synth.growth import DEFAULT, GrowthSettings, Proposals, grow
from awm_gym.synth.prompts import label, rendered
from awm_gym.synth.similarity import LOCAL, SimilarityIndex, local_vector

BAKERY = Brief(
    name="night_bakery",
    title="Night bakery",
    category="food",
    description='Loaves, "ovens" and C:\\rounds — for cafés.',
    score=8,
    parents=("bakery_orders", "food_bank"),
)


# The prompts.


def test_a_prompt_is_filled_in_and_what_is_filled_in_is_left_alone():
    text = rendered("suitability", briefs="1. {{briefs}} \\1")
    assert "\n\n1. {{briefs}} \\1\n\n" in text
    assert text == text.strip()


@pytest.mark.parametrize(
    ("parts", "problem"),
    [({}, "needs 'briefs'"), ({"briefs": "", "colour": ""}, "has no place for 'colour'")],
)
def test_a_prompt_with_a_place_too_many_or_a_part_too_many_is_a_mistake(parts, problem):
    with pytest.raises(KeyError, match=problem):
        rendered("suitability", **parts)


def test_a_label_tells_stage_scenario_item_and_attempt():
    assert label("data", scenario="ferry") == "[awm-gym stage=data scenario=ferry item=- attempt=1]"


# The seeds.


def test_the_seeds_are_five_of_each_category_one_of_each_in_turn():
    categories = [seed.category for seed in seeds()]
    assert sorted(categories) == sorted(5 * CATEGORIES)
    assert all(set(categories[start : start + 20]) == set(CATEGORIES) for start in range(0, 100, 20))


def test_no_seed_is_a_blueprint_or_a_scenario_of_the_library():
    shipped = {folder.name for kind in ("blueprints", "scenarios") for folder in (root() / kind).iterdir()}
    assert "courier" in shipped
    assert not shipped & {seed.name for seed in seeds()}


def test_no_two_seeds_are_alike():
    index = SimilarityIndex()
    for seed in seeds():
        vector = local_vector(seed.text)
        if seed is not seeds()[0]:
            assert index.nearest(vector).cosine < LOCAL
        index.add(seed.name, vector)


def test_seeds_become_briefs_as_they_stand_in_the_order_of_the_names():
    ferry, tannery = seed_briefs(["ferry_bookings", "tannery_drums", "ferry_bookings"])
    assert (ferry.name, ferry.title, ferry.category) == ("ferry_bookings", "Ferry bookings", "transport")
    assert ferry.description.startswith("Crossings of a small ferry line")
    assert (ferry.score, ferry.parents) == (None, ())
    assert tannery.category == "manufacturing"


def test_a_seed_that_is_not_there_is_told_with_the_nearest():
    with pytest.raises(UsageError, match=r"There is no seed 'ferry_booking'. Did you mean ferry_bookings"):
        seed_briefs(["ferry_booking"])


# The file.


def test_briefs_are_read_back_as_they_were_written(tmp_path):
    path = tmp_path / "briefs.toml"
    write_briefs(path, [BAKERY, *seeds()])
    assert read_briefs(path) == (BAKERY, *seeds())
    assert [file.name for file in tmp_path.iterdir()] == ["briefs.toml"]


def test_a_brief_is_a_table_that_a_user_can_edit(tmp_path):
    write_briefs(tmp_path / "briefs.toml", [BAKERY, seeds()[0].model_copy(update={"description": "Short."})])
    assert (tmp_path / "briefs.toml").read_text("utf-8") == (
        '[night_bakery]\ntitle = "Night bakery"\ncategory = "food"\n'
        'description = "Loaves, \\"ovens\\" and C:\\\\rounds — for cafés."\n'
        'score = 8\nparents = ["bakery_orders", "food_bank"]\n'
        '\n[ferry_bookings]\ntitle = "Ferry bookings"\ncategory = "transport"\ndescription = "Short."\n'
    )


def visible(text):
    try:
        return bool(plain(text).strip())
    except ValueError:
        return False


@settings(max_examples=60, deadline=None)
@given(title=st.text(max_size=60).filter(visible), description=st.text(max_size=200).filter(visible))
def test_whatever_text_a_brief_holds_it_is_read_back(tmp_path_factory, title, description):
    path = tmp_path_factory.mktemp("briefs") / "briefs.toml"
    brief = Brief(name="odd", title=title, category="arts", description=description)
    write_briefs(path, [brief])
    assert read_briefs(path) == (brief,)


def test_a_description_that_a_user_wrapped_is_one_paragraph(tmp_path):
    path = tmp_path / "briefs.toml"
    path.write_text("[a]\ntitle = 'A'\ncategory = 'arts'\ndescription = '''\nOne\n  two\n'''\n", "utf-8")
    assert read_briefs(path)[0].description == "One two"


GOOD = "title = 'A'\ncategory = 'arts'\ndescription = 'B'\n"


@pytest.mark.parametrize(
    ("text", "key", "problem"),
    [
        ("", "", "holds no brief; add a table"),
        ("[a", "", "is not valid TOML"),
        ("a = 3", "a", r"must be a table \[a\], not 3"),
        (f"[a]\nname = 'b'\n{GOOD}", "a.name", "the table's own name is it"),
        (f"[A]\n{GOOD}", "A.name", "the name 'A' is not snake_case"),
        (f"[{'a' * 49}]\n{GOOD}", "a" * 49 + ".name", "at most 48 characters"),
        ("[a]\ntitle = 'A'\ncategory = 'arts'", "a.description", "is missing; add it"),
        (f"[a]\n{GOOD}scores = 3", "a.scores", "Did you mean score"),
        (f"[a]\n{GOOD}score = 11", "a.score", "less than or equal to 10, got 11"),
        (f"[a]\n{GOOD}".replace("arts", "art"), "a.category", "got 'art'"),
        (f"[a]\n{GOOD}".replace("'B'", "' '"), "a.description", "at least 1 character"),
        (f"[a]\n{GOOD}".replace("'B'", "'B\u200b'"), "a.description", "invisible character"),
    ],
)
def test_a_slip_in_a_file_of_briefs_is_told_with_its_place(tmp_path, text, key, problem):
    path = tmp_path / "briefs.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ScenarioError, match=problem) as caught:
        read_briefs(path)
    assert (caught.value.file, caught.value.key) == (str(path), key)


def test_a_file_that_is_not_there_or_is_no_text_is_told(tmp_path):
    with pytest.raises(ScenarioError, match=r"none.toml: cannot be read: No such file"):
        read_briefs(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"[caf\xe9]")
    with pytest.raises(ScenarioError, match=r"latin.toml: is not UTF-8: byte 4 .* save it as UTF-8"):
        read_briefs(tmp_path / "latin.toml")


def test_a_file_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(UsageError, match=r"briefs.toml cannot be written: No such file"):
        write_briefs(tmp_path / "nowhere" / "briefs.toml", [BAKERY])
    with pytest.raises(UsageError, match="Two briefs are named 'night_bakery'"):
        write_briefs(tmp_path / "briefs.toml", [BAKERY, BAKERY])


# What is alike.


def told_twice(part="calibration"):
    """Applications and what is told of them: each comes twice."""
    described = tomllib.loads((Path(__file__).parent / "paraphrases.toml").read_text("utf-8"))[part]
    return [(name, text) for name, both in described.items() for text in both.values()]


@pytest.mark.parametrize(("part", "found", "pairs", "others"), [("calibration", 17, 20, 760), ("held_out", 3, 10, 180)])
def test_the_threshold_has_the_figures_that_the_module_tells(part, found, pairs, others):
    same, different = [], []
    for (one, first), (other, second) in itertools.combinations(told_twice(part), 2):
        index = SimilarityIndex()
        index.add(one, local_vector(first))
        (same if one == other else different).append(index.nearest(local_vector(second)).cosine)
    assert (len(same), sum(cosine >= LOCAL for cosine in same)) == (pairs, found)
    assert (len(different), sum(cosine >= LOCAL for cosine in different)) == (others, 0)
    if part == "calibration":
        assert round(max(different), 2) == 0.33
        assert sum(cosine >= 0.30 for cosine in different) == 3


def test_most_descriptions_are_alike_to_the_seed_that_they_tell_of_and_to_no_other():
    index = SimilarityIndex()
    for seed in seeds():
        index.add(seed.name, local_vector(seed.text))
    found = [index.nearest(local_vector(text)) for _, text in told_twice("calibration")]
    alike = Counter(neighbour.name for neighbour in found if neighbour.cosine >= LOCAL)
    assert (len(found), alike.total(), max(alike.values())) == (40, 38, 2)


def test_the_nearest_is_the_first_of_the_nearest_whatever_the_lengths_of_vectors():
    index = SimilarityIndex()
    for name, vector in {"east": [2.0, 0.0], "also_east": [9.0, 0.0], "north": [0.0, 0.5]}.items():
        index.add(name, vector)
    assert index.nearest([0.1, 0.0]) == ("east", 1.0)
    assert index.nearest([-1.0, 3.0]).name == "north"


def test_a_text_without_words_is_like_nothing():
    index = SimilarityIndex()
    index.add("some", local_vector("Ferries and lanes"))
    assert index.nearest(local_vector("the staff keeps records ...")).cosine == 0.0


# Growth.


def described(number, words=60):
    """A description of an application that is like no other."""
    rng = random.Random(number)
    return " ".join("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(words)) + "."


def proposal(number, **changes):
    category = CATEGORIES[number % len(CATEGORIES)]
    name = f"thing_{number}"
    return {"name": name, "title": f"Thing {number}", "category": category, "description": described(number)} | changes


class Scripted:
    """A model whose answers are a function of the request."""

    def __init__(self, invent=None, judge=None):
        self.invent = invent or (lambda batch, sectors: [proposal(10 * batch + place) for place in range(10)])
        self.judge = judge or (lambda number, text: {"number": number, "reason": "it works", "score": 8})
        self.asked, self.embedded = [], []

    def ask_all(self, requests):
        self.asked += requests
        return [self.answer(request) for request in requests]

    def answer(self, request):
        try:
            return request.answer.model_validate(self.said(request))
        except ValidationError as error:
            return Unreadable(str(error.errors()[0]["msg"]), "what I said")

    def said(self, request):
        prompt = request.messages[0]["content"]
        if request.stage == "briefs":
            return {"briefs": self.invent(batch_of(request), sectors_of(prompt))}
        entries = re.findall(r"^(\d+)\. (.*)$", prompt, re.MULTILINE)
        return {"verdicts": [self.judge(int(number), text) for number, text in entries]}

    def embed(self, texts):
        self.embedded.append(texts)
        return [[float(len(text)), 1000.0 - len(text)] for text in texts]

    def prompts(self, stage):
        return [request.messages[0]["content"] for request in self.asked if request.stage == stage]


def batch_of(request):
    return int(re.search(r"item=batch_(\d+)", request.messages[0]["content"])[1])


def sectors_of(prompt):
    return re.search(r"over them:\n\n(.*)\n", prompt)[1].split(", ")


def examples_of(prompt):
    return re.findall(r"^- (\w+) \((\w+)\): ", prompt, re.MULTILINE)


def reasons(growth):
    return {
        reason: [each.name for each in growth.rejected if each.reason == reason] for _, reason, _ in growth.rejected
    }


def test_briefs_grow_in_rounds_of_five_requests_until_there_are_enough():
    model = Scripted()
    growth = grow(model, 60, seed=1)
    assert [brief.name for brief in growth.accepted] == [f"thing_{number}" for number in range(10, 70)]
    assert (growth.rejected, growth.stopped) == ((), None)
    assert {brief.score for brief in growth.accepted} == {8}
    assert [request.stage for request in model.asked] == 5 * ["briefs"] + 5 * ["suitability"] + [
        "briefs",
        "suitability",
    ]
    assert growth.requests == 12


def test_every_request_begins_with_its_label_and_no_two_are_the_same():
    model = Scripted()
    grow(model, 60, seed=1)
    firsts = [request.messages[0]["content"].splitlines()[0] for request in model.asked]
    assert firsts[0] == "[awm-gym stage=briefs scenario=- item=batch_1 attempt=1]"
    assert firsts[5] == "[awm-gym stage=suitability scenario=- item=batch_1 attempt=1]"
    assert len(set(firsts)) == len(firsts)


def test_growth_is_a_function_of_its_seed_and_the_answers():
    same, again, other = Scripted(), Scripted(), Scripted()
    assert grow(same, 60, seed=1) == grow(again, 60, seed=1)
    assert same.asked == again.asked
    grow(other, 60, seed=2)
    for of in (sectors_of, examples_of):
        drawn = [[of(prompt) for prompt in model.prompts("briefs")] for model in (same, other)]
        assert drawn[0] != drawn[1]
        assert drawn[0][0] != drawn[0][1]  # nor do two requests of a round draw the same


def test_a_request_shows_eight_examples_of_as_many_categories_and_they_are_the_parents():
    model = Scripted()
    growth = grow(model, 60, seed=1)
    for batch, prompt in enumerate(model.prompts("briefs")):
        examples = examples_of(prompt)
        assert len(dict(examples)) == len({category for _, category in examples}) == 8
        assert growth.accepted[10 * batch].parents == tuple(name for name, _ in examples)


def test_what_was_accepted_and_what_is_known_is_shown_later():
    model = Scripted()
    grow(model, 60, seed=1, known=[BAKERY])
    first, *_, last = model.prompts("briefs")
    everything = "".join(model.prompts("briefs")[:5])
    assert "thing_" not in first
    assert "night_bakery" in everything
    assert "thing_" in last


def test_the_requests_of_a_round_share_out_the_emptiest_categories():
    model = Scripted(lambda batch, sectors: [proposal(10 * batch + n, category=sectors[n % 4]) for n in range(10)])
    growth = grow(model, 200, seed=1)
    prompts = model.prompts("briefs")
    assert sorted(sector for prompt in prompts[:5] for sector in sectors_of(prompt)) == sorted(CATEGORIES)
    assert {brief.category for brief in growth.accepted} == set(CATEGORIES)
    held = [sum(brief.category == category for brief in growth.accepted[:50]) for category in CATEGORIES]
    emptiest = {category for category, number in zip(CATEGORIES, held, strict=True) if number == min(held)}
    assert all(sectors_of(prompt)[0] in emptiest for prompt in prompts[5:10])


def test_names_are_made_snake_case_and_taken_names_are_turned_down():
    briefs = [
        proposal(1, name="Ferry Bookings!"),  # a seed
        proposal(2, name="NightBakery"),  # known
        proposal(3, name="2nd-hand  Büro"),
        proposal(4, name="nd_hand_buro"),
        proposal(5, name="???"),
    ]
    growth = grow(Scripted(lambda batch, sectors: briefs if batch == 1 else []), 5, seed=1, known=[BAKERY])
    assert [brief.name for brief in growth.accepted] == ["nd_hand_buro"]
    assert reasons(growth) == {"name taken": ["ferry_bookings", "night_bakery", "nd_hand_buro"], "malformed": ["???"]}


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("quarry_dispatch", "quarry_dispatch"),
        ("HTTPRoutes v2", "httproutes_v2"),
        ("a" * 47 + "_bc", "a" * 47),
        ("東京", ""),
    ],
)
def test_a_name_is_normalised(name, made):
    assert normalised(name) == made


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"description": described(1, 24)}, "the description has 24 words, not 40 to 120"),
        ({"description": described(1, 201)}, "the description has 201 words, not 40 to 120"),
        ({"title": "x" * 81}, "title: String should have at most 80 characters"),
        ({"title": "hid\u202eden"}, "title: .*invisible character"),
    ],
)
def test_a_malformed_brief_is_turned_down(changes, why):
    growth = grow(Scripted(lambda batch, sectors: [proposal(1, **changes)] if batch == 1 else []), 1, seed=1)
    assert reasons(growth) == {"malformed": ["thing_1"]}
    assert re.match(why, growth.rejected[0].why)


@pytest.mark.parametrize("words", [25, 200])
def test_a_description_may_be_a_little_shorter_or_longer_than_was_asked_for(words):
    growth = grow(Scripted(lambda batch, _: [proposal(1, description=described(1, words))]), 1, seed=1)
    assert [len(brief.description.split()) for brief in growth.accepted] == [words]


def test_what_the_judge_scores_below_six_or_forgets_is_turned_down():
    def judge(number, text):
        return {"number": 99 if number == 3 else number, "reason": f"for {number}", "score": 4 + number}

    growth = grow(Scripted(lambda batch, _: [proposal(n) for n in range(1, 5)] * (batch == 1), judge), 4, seed=1)
    assert [(brief.name, brief.score) for brief in growth.accepted] == [("thing_2", 6), ("thing_4", 8)]
    assert reasons(growth) == {"unsuitable": ["thing_1"], "not judged": ["thing_3"]}
    assert growth.rejected[0].why == "5 of 10: for 1"


def test_a_brief_in_other_words_is_turned_down():
    blood = dict(told_twice())["blood"]
    tannery = dict.fromkeys(["name", "title"], "hides") | {"category": "retail", "description": described(1)}
    briefs = [
        tannery,
        proposal(1, name="hides_again", description=described(1)),
        proposal(2, name="plasma", title="Plasma", description=blood),
    ]
    growth = grow(Scripted(lambda batch, _: briefs if batch == 1 else []), 3, seed=1)
    assert [brief.name for brief in growth.accepted] == ["hides"]
    assert reasons(growth) == {"alike": ["hides_again", "plasma"]}
    assert growth.rejected[0].why == "hides is 0.99 alike"
    assert growth.rejected[1].why.startswith("blood_bank is 0.")


def test_an_embedding_model_is_asked_for_all_at_once_if_there_is_one():
    lengths = [400, 900, 404]
    briefs = [proposal(n, description=" ".join(["word"] * 40) + "x" * length) for n, length in enumerate(lengths)]
    model = Scripted(lambda batch, _: briefs if batch == 1 else [])
    model.embed = embed = lambda texts: [[float(len(text) > 800), float(len(text) < 800), 0.4] for text in texts]
    growth = grow(model, 3, seed=1, settings=GrowthSettings(embedded=True))
    assert embed(["x"]) == [[0.0, 1.0, 0.4]]
    assert [brief.name for brief in growth.accepted] == ["thing_1"]
    assert reasons(growth) == {"alike": ["thing_0", "thing_2"]}


def test_without_new_briefs_no_embeddings_are_asked_for():
    model = Scripted(lambda batch, sectors: [])
    grow(model, 1, seed=1, settings=GrowthSettings(embedded=True))
    assert [len(texts) for texts in model.embedded] == [100]


def test_a_category_takes_its_share_and_no_more():
    model = Scripted(lambda batch, _: [proposal(10 * batch + n, category="arts") for n in range(10)])
    growth = grow(model, 40, seed=1)
    assert [brief.name for brief in growth.accepted] == ["thing_10", "thing_11", "thing_12", "thing_13"]
    assert set(reasons(growth)) == {"category full"}
    assert growth.rejected[0].why == "arts holds 4 already"
    assert all("arts" not in sectors_of(prompt) for prompt in model.prompts("briefs")[4:])
    assert len(model.prompts("suitability")) == 4  # what has no room any more is not judged


@pytest.mark.parametrize(("count", "room"), [(1, 2), (25, 2), (26, 3), (1_000, 80)])
def test_the_share_of_a_category_is_that_of_the_paper(count, room):
    assert DEFAULT.room(count) == room


def test_more_than_the_categories_take_cannot_be_asked_for():
    assert GrowthSettings(per_category=3).room(60) == 3
    with pytest.raises(UsageError, match=r"20 categories of at most 3 briefs do not hold 61; allow 4 or more"):
        grow(Scripted(), 61, seed=1, settings=GrowthSettings(per_category=3))
    with pytest.raises(UsageError, match="0 briefs cannot be grown"):
        grow(Scripted(), 0, seed=1)


def test_a_category_that_is_all_but_full_leaves_requests_of_one_round_the_same_sectors():
    model = Scripted(lambda batch, sectors: [proposal(10 * batch + n, category=sectors[0]) for n in range(10)])
    growth = grow(model, 20, seed=1, settings=GrowthSettings(batch=2, per_category=1))
    assert sorted(brief.category for brief in growth.accepted) == sorted(CATEGORIES)
    assert all(sectors_of(prompt) for prompt in model.prompts("briefs"))


def test_what_comes_after_enough_is_surplus():
    growth = grow(Scripted(), 7, seed=1)
    assert len(growth.accepted) == 7
    assert reasons(growth) == {"surplus": ["thing_17", "thing_18", "thing_19"]}


def test_growth_stops_when_three_rounds_add_next_to_nothing():
    model = Scripted(lambda batch, _: [proposal(n) for n in range(10)])
    growth = grow(model, 100, seed=1)
    assert len(growth.accepted) == 10
    assert len(model.prompts("briefs")) == 20  # one round that adds, and three that do not
    assert growth.stopped == (
        "Stopped with 10 of 100 briefs: of the last 150 that were asked for 0 could be accepted. "
        "Most often: name taken. Take a stronger model, a higher temperature, or fewer briefs."
    )


def test_growth_stops_at_a_trickle_and_goes_on_above_it():
    def one_in(batches):
        def invent(batch, sectors):
            return [proposal(batch, category=sectors[0])] if batch % batches == 0 else []

        return grow(Scripted(invent), 12, seed=1)

    assert "of the last 120 that were asked for 2" in one_in(6).stopped
    assert one_in(4).stopped is None


def test_a_model_that_proposes_nothing_is_told():
    growth = grow(Scripted(lambda batch, _: []), 10, seed=1)
    assert growth.requests == 1 + 5 + 5  # a round that brings nothing is followed by larger ones
    assert "Hardly anything was proposed." in growth.stopped


def test_an_unreadable_answer_is_asked_for_once_more_with_what_was_wrong():
    class Slipping(Scripted):
        def answer(self, request):
            if len(request.messages) == 1 and (request.stage, batch_of(request)) in {("briefs", 2), ("suitability", 1)}:
                return Unreadable("briefs.3.title: is missing", "what I said" * (request.stage == "briefs"))
            return super().answer(request)

    model = Slipping()
    growth = grow(model, 20, seed=1)
    assert [brief.name for brief in growth.accepted] == [f"thing_{number}" for number in range(10, 30)]
    assert growth.requests == 6
    again = model.asked[2].messages
    assert [message["role"] for message in again] == ["user", "assistant", "user"]
    assert again[1]["content"] == "what I said"
    assert again[2]["content"].startswith("[awm-gym stage=briefs scenario=- item=batch_2 attempt=2]\n\n")
    assert "briefs.3.title: is missing" in again[2]["content"]
    judged = next(
        request.messages for request in model.asked if request.stage == "suitability" and request.messages[1:]
    )
    assert [message["role"] for message in judged] == ["user", "user"]  # nothing had been said


def test_an_answer_that_is_unreadable_twice_is_lost_and_the_others_are_not():
    class Failing(Scripted):
        def said(self, request):
            lost = {("briefs", 1), ("suitability", 2)}
            return "no" if (request.stage, batch_of(request)) in lost else super().said(request)

    growth = grow(Failing(), 30, seed=1)
    assert [brief.name for brief in growth.accepted][:11] == [
        *(f"thing_{number}" for number in range(20, 30)),
        "thing_40",
    ]
    assert reasons(growth)["unreadable"] == ["briefs batch_1", "suitability batch_2"]
    assert reasons(growth)["not judged"] == [f"thing_{number}" for number in range(30, 40)]


def test_when_the_budget_is_spent_what_was_accepted_is_kept():
    class Poor(Scripted):
        def ask_all(self, requests):
            if len(self.asked) >= 10:
                raise BudgetSpent("1.00 dollars are spent.")
            return super().ask_all(requests)

    growth = grow(Poor(), 100, seed=1)
    assert len(growth.accepted) == 50
    assert growth.stopped == "Stopped with 50 of 100 briefs: 1.00 dollars are spent."


def test_a_model_that_cannot_be_asked_is_the_callers_affair():
    class Gone(Scripted):
        def ask_all(self, requests):
            raise ModelError("no server")

    with pytest.raises(ModelError, match="no server"):
        grow(Gone(), 1, seed=1)


def test_all_that_was_proposed_is_accepted_or_rejected_with_a_reason():
    def judge(number, text):
        return {"number": number, "reason": "so so", "score": number}

    model = Scripted(lambda batch, _: [proposal((7 * batch + n) % 40) for n in range(10)], judge)
    growth = grow(model, 30, seed=1)
    assert len(growth.accepted) + len(growth.rejected) == 10 * len(model.prompts("briefs"))
    assert {"unsuitable", "name taken"} <= set(reasons(growth))


def test_the_summary_tells_figures_and_examples_and_why_growth_stopped():
    model = Scripted(lambda batch, _: [proposal(n) for n in range(10)])
    lines = grow(model, 100, seed=1).summary(examples=2).splitlines()
    assert lines[:4] == [
        "10 briefs accepted, 190 rejected, 21 requests",
        "  name taken: 190",
        "    thing_0: there is a brief of this name",
        "    thing_1: there is a brief of this name",
    ]
    assert lines[4].startswith("Stopped with 10 of 100 briefs")
    assert len(grow(Scripted(), 10, seed=1).summary().splitlines()) == 1


# Over HTTP.


def served(request):
    """The same script as a server: some answers are fenced, some late, and one is no JSON until it is asked again."""
    content = request["messages"][0]["content"]
    stage, batch = re.match(r"\[awm-gym stage=(\w+) scenario=- item=batch_(\d+) attempt=1\]", content).groups()
    if (stage, batch) == ("briefs", "2") and len(request["messages"]) == 1:
        return Reply("Here they are: thing, thing, thing.")
    asked = Request("-", stage, ({"role": "user", "content": content},), Proposals)
    text = json.dumps(Scripted().said(asked))
    return Reply(f"Gladly!\n```json\n{text}\n```" if batch == "3" else text, seconds=0.03 if batch == "1" else 0.0)


def grown(url, memory, concurrency):
    asked = Settings(model="any", base_url=url, embedding_model="vectors", concurrency=concurrency, patience=0.0)
    with Model(asked, Ledger(asked), memory=memory) as model:
        return grow(model, 55, seed=1, settings=GrowthSettings(embedded=True))


def test_over_http_the_same_briefs_grow_whichever_answer_comes_first_and_are_paid_once(tmp_path):
    with FakeServer(served) as server:
        growth = grown(server.url, tmp_path / "a", concurrency=8)
        asked = len(server.requests)
        assert grown(server.url, tmp_path / "a", concurrency=8) == growth
        assert len(server.requests) == asked == growth.requests == 13
        assert grown(server.url, tmp_path / "b", concurrency=1) == growth
    assert [brief.name for brief in growth.accepted] == [f"thing_{number}" for number in range(10, 65)]
    assert set(reasons(growth)) == {"surplus"}
    assert len(server.embedded[0]) == 100
    assert server.requests[0]["response_format"]["json_schema"]["strict"] is True


def test_the_schemas_of_answers_are_closed_and_require_every_field():
    schema = json.dumps(Proposals.model_json_schema())
    assert schema.count('"additionalProperties": false') == 2
    assert '"required": ["name", "title", "category", "description"]' in schema
