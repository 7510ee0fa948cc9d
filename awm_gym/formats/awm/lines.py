"""One file of JSON lines: where each line lies and whose it is. Bad lines are named and cost only themselves."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import stat
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from awm_gym import places
from awm_gym.errors import ScenarioError, shown

MAX_LINE = 8 * 2**20  # bytes of one line; programs of the published data have 184 thousand characters at most
MAX_NAME = 1_000  # characters of a scenario's name
MAX_TASK = 9_999  # the highest number of a task
MAX_PROBLEMS = 100  # of one file; a file of noise would fill the memory with complaints
MAX_UNPACKED = 4 * 2**30  # bytes that a .gz may hold
MAX_RATIO = 100  # how much larger than the .gz that may be: text of programs packs to a tenth, bombs to a thousandth
_CHUNK = 2**20
_HEAD = 2**16  # bytes at the start of a file that help to know it again
_BOM = b"\xef\xbb\xbf"
_FORM = 2  # of the index files: raised when they change


class Line(NamedTuple):
    """Where one object lies in a file.

    Attributes:
        number: of the line, from 1.
        offset: where it starts, in bytes.
        length: bytes with the line break.
        name: the scenario, as it is written there.
        task: the task's number in files with a line for each task, else None.
        digest: of what such a line says of its task, else "".
    """

    number: int
    offset: int
    length: int
    name: str
    task: int | None
    digest: str


class Problem(NamedTuple):
    """What is wrong with a line; line 0 is the file itself."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        """File, line and reason."""
        return f"{self.file}{f', line {self.line}' if self.line else ''}: {self.reason}"


class Scan(NamedTuple):
    """What a file holds: its good lines, and what is wrong with the others."""

    lines: tuple[Line, ...]
    problems: tuple[Problem, ...]


class Layout(NamedTuple):
    """What a kind of file looks like.

    Attributes:
        name_key: the key that names the scenario.
        content: where each line belongs to one task, the keys that lead to what it says of it.
        kind: type of that.
    """

    name_key: str
    content: tuple[str, ...] = ()
    kind: type = str

    @property
    def mark(self) -> str:
        """A word that tells layouts apart."""
        return ".".join((self.name_key, *self.content))


_SCAN = TypeAdapter(Scan)


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading, if it is one: a device or a pipe would keep us waiting. Links are followed.

    Raises:
        ScenarioError: it cannot be opened, or is something else.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise ScenarioError(f"cannot be read: {error.strerror}", file=path.name) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ScenarioError("is not a regular file", file=path.name)
    return os.fdopen(descriptor, "rb")


def unpacked(path: Path) -> Path:
    """The plain file behind a path: itself, or for a .gz its content, which is kept in the cache.

    Raises:
        ScenarioError: the .gz is damaged, holds too much, or cannot be kept.
    """
    if path.suffix != ".gz":
        return path
    plain = _kept(path, ".jsonl")
    if not plain.is_file():
        try:
            with _replacing(plain) as target, open_regular(path) as packed:
                _unpack(packed, target, path.name)
        except (OSError, EOFError, zlib.error) as error:
            reason = getattr(error, "strerror", None) or error
            raise ScenarioError(f"cannot be unpacked: {reason}; fetch it again", file=path.name) from error
    return plain


def _unpack(packed: BinaryIO, target: IO[bytes], name: str) -> None:
    written = 0
    with gzip.GzipFile(fileobj=packed) as content:
        while chunk := content.read(_CHUNK):
            written += len(chunk)
            if written > MAX_UNPACKED or written > _CHUNK + MAX_RATIO * packed.tell():
                raise ScenarioError(
                    f"grows to more than {MAX_RATIO} times its size or {MAX_UNPACKED >> 30} GiB; unpack it yourself if "
                    "you trust it",
                    file=name,
                )
            target.write(chunk)


def scan(path: Path, name: str, layout: Layout) -> Scan:
    """Where the lines of a file lie; read from the cache if the file was seen before.

    Args:
        path: the plain file.
        name: what problems call it.
        layout: what its lines look like.

    Raises:
        ScenarioError: the file cannot be read.
    """
    kept = _kept(path, f".{layout.mark}.json")
    with contextlib.suppress(OSError, ValidationError):
        return _SCAN.validate_json(kept.read_bytes())
    with open_regular(path) as file:
        found = _scanned(file, name, layout)
    with contextlib.suppress(OSError), _replacing(kept) as target:  # a cache that cannot be written is no mistake
        target.write(_SCAN.dump_json(found))
    return found


def _kept(path: Path, ending: str) -> Path:
    """Where something made of this very content of a file is kept."""
    with open_regular(path) as file:
        status = os.fstat(file.fileno())
        head = hashlib.sha256(file.read(_HEAD)).hexdigest()
    identity = f"{_FORM}\0{path.resolve()}\0{status.st_size}\0{status.st_mtime_ns}\0{head}"
    return places.cache() / "awm" / (hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest() + ending)


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """Write a file that is there whole or not at all, whoever else writes it at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        part = Path(file.name)
        try:
            yield file
            file.flush()
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def _scanned(file: BinaryIO, name: str, layout: Layout) -> Scan:
    lines: list[Line] = []
    problems: list[Problem] = []
    bad = 0
    for found in _each(file, name, layout):
        if isinstance(found, Line):
            lines.append(found)
        else:
            bad += 1
            problems.extend([found] if bad <= MAX_PROBLEMS else [])
    if bad > MAX_PROBLEMS:
        problems.append(Problem(name, 0, f"{bad - MAX_PROBLEMS} more lines are bad"))
    return Scan(tuple(lines), tuple(problems))


def _each(file: BinaryIO, name: str, layout: Layout) -> Iterator[Line | Problem]:
    offset = len(_BOM) if file.read(len(_BOM)) == _BOM else 0
    file.seek(offset)
    number = 0
    while raw := file.readline(MAX_LINE + 1):
        number += 1
        length = len(raw)
        if length > MAX_LINE and not raw.endswith(b"\n"):
            length += _skip_line(file)
            yield Problem(name, number, f"has {length} bytes; {MAX_LINE} are allowed")
        elif raw.strip():
            try:
                yield Line(number, offset, length, *_told(raw, layout))
            except ValueError as error:
                torn = "" if raw.endswith(b"\n") else "; the file was cut off here"
                yield Problem(name, number, f"{error}{torn}")
        offset += length


def _skip_line(file: BinaryIO) -> int:
    """Bytes up to the end of the line."""
    skipped = 0
    while part := file.readline(_CHUNK):
        skipped += len(part)
        if part.endswith(b"\n"):
            break
    return skipped


def _told(raw: bytes, layout: Layout) -> tuple[str, int | None, str]:
    """The scenario a line belongs to; where it belongs to one task, its number and a digest of what it says of it too.

    Raises:
        ValueError: it does not say.
    """
    try:
        row = from_json(raw.rstrip(), allow_inf_nan=False)
    except ValueError as error:
        raise ValueError(f"is not JSON: {error}") from None
    if not isinstance(row, dict):
        raise ValueError(f"is not an object but {shown(row)}")
    name = row.get(layout.name_key)
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME:
        raise ValueError(f"{layout.name_key!r} must be 1 to {MAX_NAME} characters of text, not {shown(name)}")
    return (name, *_of_task(row, layout)) if layout.content else (name, None, "")


def _of_task(row: dict[str, Any], layout: Layout) -> tuple[int, str]:
    task = row.get("task_idx")
    if type(task) is not int or not 0 <= task <= MAX_TASK:
        raise ValueError(f"'task_idx' must be an integer from 0 to {MAX_TASK}, not {shown(task)}")
    content: Any = row
    for key in layout.content:
        content = content.get(key) if isinstance(content, dict) else None
    if not isinstance(content, layout.kind):
        kind = "text" if layout.kind is str else "a list"
        raise ValueError(f"{'.'.join(layout.content)!r} must be {kind}, not {shown(content)}")
    text = content if isinstance(content, str) else json.dumps(row, sort_keys=True)
    return task, hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
