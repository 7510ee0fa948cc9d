"""Chance from a seed: one stream a purpose, the same draws on every machine and every Python."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

_T = TypeVar("_T")


class Stream:
    """A stream of draws, named by a key: what one purpose draws does not move the draws of another.

    Only `random.Random.random` is drawn from: it is the one draw that Python promises never to change.
    """

    def __init__(self, *key: object) -> None:
        self._key = "/".join(map(str, key))
        self._draw = random.Random(self._key).random

    def fork(self, *key: object) -> Stream:
        """A stream of its own for a part of this purpose; it does not depend on what was drawn here."""
        return Stream(self._key, *key)

    def chance(self, probability: float) -> bool:
        """True with a probability."""
        return self._draw() < probability

    def below(self, count: int) -> int:
        """A whole number from 0 to `count` - 1."""
        return int(self._draw() * count)

    def between(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return low + self.below(high - low + 1)

    def skewed(self, count: int, skew: int) -> int:
        """A whole number from 0 to `count` - 1; with a skew of 2 or more, low ones come more often."""
        place = 1.0
        for _ in range(skew):
            place *= self._draw()
        return int(place * count)

    def pick(self, items: Sequence[_T]) -> _T:
        """One of the items."""
        return items[self.below(len(items))]

    def weighted(self, items: Sequence[_T], weights: Sequence[float]) -> _T:
        """One of the items, by weight."""
        left = self._draw() * sum(weights)
        for item, weight in zip(items, weights, strict=True):
            left -= weight
            if left < 0:
                return item
        return items[-1]

    def shuffled(self, items: Sequence[_T]) -> list[_T]:
        """The items in another order."""
        mixed = list(items)
        for place in range(len(mixed) - 1, 0, -1):
            other = self.below(place + 1)
            mixed[place], mixed[other] = mixed[other], mixed[place]
        return mixed
