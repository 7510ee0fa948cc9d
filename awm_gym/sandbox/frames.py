"""Frames: a JSON object and, behind it, bytes that JSON would only swell, such as the image of a database.

A frame is two little-endian 32-bit lengths, then the object in UTF-8, then the bytes. Both sides of a conversation use
this module; the trusting side reads lengths before it makes room, and refuses what strict JSON does not know.
"""

from __future__ import annotations

import json
import math
import struct
from typing import Any, NamedTuple

MAX_BYTES = 8 * 2**20  # of one frame, both parts together
_LENGTHS = struct.Struct("<II")
HEADER_BYTES = _LENGTHS.size


class FrameError(ValueError):
    """What was to be sent, or what came, is no frame."""


class Frame(NamedTuple):
    """What one side says to the other.

    Attributes:
        message: a JSON object.
        blob: bytes that belong to it.
    """

    message: dict[str, Any]
    blob: bytes


class Lengths(NamedTuple):
    """How many bytes the two parts of a frame take."""

    message: int
    blob: int


def encode(message: dict[str, Any], blob: bytes = b"", *, limit: int = MAX_BYTES) -> bytes:
    """The bytes of a frame.

    Raises:
        FrameError: the message is not JSON, or the frame is longer than `limit` bytes.
    """
    try:
        text = _ENCODER.encode(message).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise FrameError(f"not JSON: {error}") from error
    if len(text) + len(blob) > limit:
        raise FrameError(f"a frame of {len(text) + len(blob)} bytes; at most {limit} are allowed")
    return _LENGTHS.pack(len(text), len(blob)) + text + blob


def lengths(header: bytes, *, limit: int = MAX_BYTES) -> Lengths:
    """What the first `HEADER_BYTES` bytes of a frame announce.

    Raises:
        FrameError: more than `limit` bytes.
    """
    found = Lengths(*_LENGTHS.unpack(header))
    if sum(found) > limit:
        raise FrameError(f"a frame of {sum(found)} bytes; at most {limit} are allowed")
    return found


def decode(text: bytes) -> dict[str, Any]:
    """The object that the first part of a frame spells.

    Raises:
        FrameError: no JSON object; a key twice; a number that is not finite; text that no UTF-8 can hold.
    """
    try:
        value = _DECODER.decode(text.decode())
        if b"\\u" in text:  # an escape may spell half of a surrogate pair
            _ENCODER.encode(value).encode()
    except (ValueError, RecursionError) as error:
        raise FrameError(f"not JSON: {error}") from error
    if type(value) is not dict:
        raise FrameError(f"a JSON {type(value).__name__}, not an object")
    return value


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key twice in one object")
    return found


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits[:40]} is no finite number")
    return number


_ENCODER = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":"))
_DECODER = json.JSONDecoder(object_pairs_hook=_without_doubles, parse_float=_finite, parse_constant=_finite)
