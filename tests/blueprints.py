"""The README's blueprint as a folder, and ways to edit it."""

import re
from pathlib import Path

from awm_gym.blueprints.folder import FILES, Blueprint

README = (Path(__file__).parent.parent / "README.md").read_text("utf-8")


def readme_files():
    """The files of the blueprint that the README shows, by name."""
    found = {}
    for block in re.findall(r"```(?:toml|sql)\n(.*?)```", README, re.S):
        first = block.partition("\n")[0]
        if match := re.match(r"(?:#|--) (\w+\.(?:toml|sql))", first):
            found[match[1]] = block
    return {name: found[name] for name in FILES}


def bike_hire(folder, **edits):
    """The README's blueprint in a folder; an edit is (file, old, new)."""
    files = readme_files()
    for file, old, new in edits.values():
        assert old in files[file], f"{file} has no {old!r}"
        files[file] = files[file].replace(old, new, 1)
    place = folder / "bike_hire"
    place.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (place / name).write_text(text, "utf-8")
    return Blueprint(place)
