"""Pages of headings, tables and lists, as HTML or Markdown. All words may be hostile: they are shown, never obeyed."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from awm_gym.errors import printable

MAX_WORDS = 1_000  # characters of one cell or item

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"  # nothing is fetched, nothing runs
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1d2329; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.2; margin: 2rem 0 .6rem; }
h2 { border-top: 1px solid #d5dade; padding-top: 1.2rem; }
table { border-collapse: collapse; display: block; overflow-x: auto; margin: .6rem 0 1.2rem; }
th, td { border: 1px solid #d5dade; padding: .25rem .6rem; text-align: left; vertical-align: top; }
td { overflow-wrap: anywhere; min-width: 3rem; }
th { background: #eef1f4; white-space: nowrap; }
tr:nth-child(even) td { background: #f8f9fa; }
li { overflow-wrap: anywhere; }
a { color: #0b5cad; }
@media (prefers-color-scheme: dark) {
  body { background: #16191d; color: #dfe3e7; }
  h2, th, td { border-color: #3a4149; }
  th { background: #242a31; }
  tr:nth-child(even) td { background: #1c2126; }
  a { color: #79b8ff; }
}
""".strip()
_ACTIVE = re.compile(  # what means something to Markdown: anywhere, outside of words, at the start, before an address
    r"[\\`*{}\[\]<>#!|~@&$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|^[-+=]|(?<=^\d)\.|:(?=//)|(?<=\bwww)\.", re.I
)


class Heading(NamedTuple):
    """A heading of a level from 1; `anchor` is what links to it name."""

    level: int
    text: str
    anchor: str = ""


class Paragraph(NamedTuple):
    """Words."""

    text: str


class Items(NamedTuple):
    """A list of words."""

    items: tuple[str, ...]


class Grid(NamedTuple):
    """A table; with `links` the first cell of each row leads to the heading with that anchor."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    links: bool = False


Block = Heading | Paragraph | Items | Grid


def cut(text: str) -> str:
    """Text of at most `MAX_WORDS` characters."""
    return text if len(text) <= MAX_WORDS else text[: MAX_WORDS - 3] + "..."


def to_html(title: str, blocks: Iterable[Block]) -> str:
    """One self-contained page."""
    body = "\n".join(_html(block) for block in blocks)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{_text(title)}</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f'<meta name="viewport" content="width=device-width">\n<style>\n{_STYLE}\n</style>\n</head>\n'
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _html(block: Block) -> str:
    if isinstance(block, Heading):
        anchor = f' id="{_text(block.anchor)}"' if block.anchor else ""
        return f"<h{block.level}{anchor}>{_text(block.text)}</h{block.level}>"
    if isinstance(block, Paragraph):
        return f"<p>{_text(block.text)}</p>"
    if isinstance(block, Items):
        return "<ul>\n" + "\n".join(f"<li>{_text(item)}</li>" for item in block.items) + "\n</ul>"
    head = "".join(f"<th>{_text(column)}</th>" for column in block.columns)
    rows = "\n".join(_html_row(row, links=block.links) for row in block.rows)
    return f"<table>\n<tr>{head}</tr>\n{rows}\n</table>"


def _html_row(row: Sequence[str], *, links: bool) -> str:
    cells = [_text(cell) for cell in row]
    if links:
        cells[0] = f'<a href="#{cells[0]}">{cells[0]}</a>'
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _text(text: str) -> str:
    return html.escape(printable(cut(text)))


def to_markdown(blocks: Iterable[Block]) -> str:
    """A text of Markdown with tables."""
    return "\n\n".join(_markdown(block) for block in blocks) + "\n"


def _markdown(block: Block) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {_plain(block.text)}"
    if isinstance(block, Paragraph):
        return _plain(block.text)
    if isinstance(block, Items):
        return "\n".join(f"- {_plain(item)}" for item in block.items)
    head, *rows = (f"| {' | '.join(map(_plain, row))} |" for row in (block.columns, *block.rows))
    return "\n".join((head, "|" + " --- |" * len(block.columns), *rows))


def _plain(text: str) -> str:
    """Words that Markdown shows as they are, in one line."""
    line = " ".join(printable(cut(text)).split())
    return _ACTIVE.sub(r"\\\g<0>", line)
