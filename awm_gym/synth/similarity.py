"""How near two texts are to each other: cosines of vectors, of words and trigrams where no embedding model is asked.

The local vectors hold the words of a text and the trigrams of their letters, each hashed to one of 4096 places,
counted as 1 + ln(count), and weighted by how rare it is among the summaries of the seeds; words that every brief has
("keeps", "records", "refused") are left out.

The threshold 0.34 was chosen on tests/paraphrases.toml, on 20 applications that are described twice each: 17 of the 20
pairs reach it, and none of the 760 pairs of different applications does (the nearest has 0.33). Measured afterwards
on 10 more, told twice with few words in common, it finds 3 of 10, and none of 180 different ones. So it finds what
shares its nouns, as a model that repeats itself mostly does, and not what shares its meaning only. A lower threshold
would find more, but turn down the new for being near to one of many: above 0.30 lie 3 of the 760. An embedding model,
at the paper's 0.85, is the better judge.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from awm_gym.synth.briefs import seeds

Vector = NDArray[np.float64]

EMBEDDED = 0.85  # cosine of an embedding model's vectors from which two briefs are one application: the paper's
LOCAL = 0.34  # the same for the vectors of this module
_PLACES = 4096  # of a local vector
_STOP = frozenset(
    """
    a above after again all allow allowed also an and another any app application are as assign assigns at be been
    before below between beyond book books by can cancel cancelled cancels cannot change changed changes clerks create
    created creates delete deleted deletes during each every for from has have how if in into is it its keep keeps
    kept list lists manage management manager managers managing many may more must need needs never no nobody nor not
    of off office on once one only or other out over per read record recorded recording records refuse refused refuses
    register registers reject rejected rejects so some staff system than that the their them then there these they
    this those three through to track tracking tracks two under until up update updated updates user users view what
    when where which while who whom whose will with within without
    """.split()
)


class Neighbour(NamedTuple):
    """What is nearest to a text.

    Attributes:
        name: whose text it is.
        cosine: how near, from -1 to 1.
    """

    name: str
    cosine: float


class SimilarityIndex:
    """Vectors by name, among which the nearest is found."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._vectors: list[Vector] = []

    def add(self, name: str, vector: Sequence[float] | Vector) -> None:
        """Take in a vector, of any length but that of the others' number of dimensions."""
        self._names.append(name)
        self._vectors.append(_unit(vector))

    def nearest(self, vector: Sequence[float] | Vector) -> Neighbour:
        """The name whose vector has the largest cosine; of equals the one that came first.

        Raises:
            ValueError: the index is empty.
        """
        unit = _unit(vector)
        cosines = [float(unit @ other) for other in self._vectors]
        place = max(range(len(cosines)), key=cosines.__getitem__)
        return Neighbour(self._names[place], cosines[place])


def _unit(vector: Sequence[float] | Vector) -> Vector:
    """The vector at length one. That of a text without words has no direction, and stays."""
    array = np.asarray(vector, dtype=np.float64)
    length = float(np.linalg.norm(array))
    return array / length if length else array


def local_vector(text: str) -> Vector:
    """The vector of a text, of 4096 places; the same on every machine."""
    rarity, unseen = _rarities()
    vector = np.zeros(_PLACES)
    for feature, count in Counter(_features(text)).items():
        vector[crc32(feature.encode()) % _PLACES] += (1 + math.log(count)) * rarity.get(feature, unseen)
    return vector


def _features(text: str) -> Iterator[str]:
    """The words of a text that tell something, and the trigrams of their letters."""
    for word in re.findall(r"[^\W_]+", text.casefold()):
        if word not in _STOP:
            padded = f" {word} "
            yield word
            yield from (f"-{padded[start : start + 3]}" for start in range(len(padded) - 2))


@cache
def _rarities() -> tuple[dict[str, float], float]:
    """Inverse document frequencies among the seeds, and that of a feature which none of them has."""
    documents = [set(_features(seed.text)) for seed in seeds()]
    total = 1 + len(documents)
    holding = Counter(feature for document in documents for feature in document)
    return {feature: math.log(total / (1 + count)) + 1 for feature, count in holding.items()}, math.log(total) + 1
