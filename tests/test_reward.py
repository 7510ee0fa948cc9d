"""Reward schemes: what an episode pays."""

import pytest

from awm_gym.errors import UsageError
from awm_gym.reward import BINARY, GRADED, JUDGED, PAPER, SCHEMES, RewardScheme, scheme
from awm_gym.verify import StrayRow, Verdict

STRAY = (StrayRow("t", {"id": 1}, ("n",), "changed"),)


def verdict(checks, stray=()):
    """`checks` as a word: `+` holds, `-` does not."""
    return Verdict({f"c{number}": mark == "+" for number, mark in enumerate(checks)}, stray)


@pytest.mark.parametrize(
    ("paid_by", "checks", "at_start", "stray", "reward"),
    [
        (BINARY, "++", "", (), 1.0),
        (BINARY, "+-", "", (), 0.0),
        (BINARY, "++", "", STRAY, 0.0),
        (GRADED, "++", "", (), 1.0),
        (GRADED, "+-", "", (), 0.45),
        (GRADED, "+--", "", (), pytest.approx(0.3)),
        (GRADED, "--", "", (), 0.0),
        (GRADED, "++-", "+", (), 0.45),  # what held from the start counts for nothing
        (GRADED, "+-", "+", (), 0.0),
        (GRADED, "+-", "", STRAY, 0.0),
        (GRADED, "++", "", STRAY, 0.0),
        (GRADED, "", "", STRAY, 0.0),
        (PAPER, "++", "", (), 1.0),
        (PAPER, "+-", "", (), 0.1),
        (PAPER, "+----", "", (), 0.1),
        (PAPER, "+-", "+", (), 0.0),
        (PAPER, "--", "", (), 0.0),
        (RewardScheme(solved=5.0, partial=2.0), "++", "", (), 5.0),
        (RewardScheme(solved=5.0, partial=2.0), "+-", "", STRAY, 2.0),
    ],
)
def test_an_episode_is_paid_for_its_verdict(paid_by, checks, at_start, stray, reward):
    assert paid_by.of(verdict(checks, stray), verdict(at_start).checks) == reward


def test_the_schemes_have_names():
    found = {name: scheme(name) for name in SCHEMES}
    assert found == {"binary": BINARY, "graded": GRADED, "paper": PAPER, "judged": JUDGED}
    own = RewardScheme(solved=2.0)
    assert scheme(own) is own
    with pytest.raises(UsageError, match=r"There is no reward scheme 'binry'\. Did you mean binary"):
        scheme("binry")


def test_only_the_paper_punishes_what_is_no_tool_call():
    assert [(s.malformed, s.ends_on_malformed) for s in (BINARY, GRADED, PAPER)] == [(0, False), (0, False), (-1, True)]
