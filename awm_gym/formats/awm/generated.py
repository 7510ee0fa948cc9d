"""Inside a worker: the surroundings that generated Python finds.

After the lock there are no files, so whatever it may import is imported with this module.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import pkgutil
import sys
import types
import warnings
import zoneinfo
from typing import Any

_STANDARD = """
__future__ abc array asyncio base64 binascii bisect calendar cmath collections collections.abc colorsys
concurrent.futures concurrent.futures.thread contextlib contextvars copy csv ctypes dataclasses datetime decimal
difflib email.message email.utils encodings.ascii encodings.idna encodings.latin_1 encodings.punycode
encodings.utf_8_sig enum fractions functools gc getpass hashlib heapq hmac html http http.cookies inspect io ipaddress
itertools json json.decoder keyword locale logging logging.config logging.handlers math mimetypes numbers operator os
os.path pathlib pickle platform pprint queue random re secrets shutil signal socket sqlite3 sqlite3.dbapi2 stat
statistics string struct sys tempfile textwrap threading time timeit traceback types typing unicodedata urllib.parse
uuid warnings weakref zlib zoneinfo _strptime
""".split()
_STRANGE = frozenset("v1 mypy __main__ cli testclient templating wsgi sessions staticfiles _trio pytest_plugin".split())

_ZONES: list[zoneinfo.ZoneInfo] = []  # time zones are files, too; those that are in use are not read again


def preload(*packages: str) -> None:
    """Import what generated code may import, and all that packages may import lazily.

    Args:
        packages: those whose every module is imported, but for what wants other packages.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in _STANDARD:
            importlib.import_module(name)
        for package in packages:
            _import_all(package)
    _ZONES.extend(zoneinfo.ZoneInfo(name) for name in sorted(zoneinfo.available_timezones()))


def _import_all(package: str) -> None:
    for found in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        if _STRANGE.isdisjoint(found.name.split(".")):
            with contextlib.suppress(ImportError, RuntimeError):  # it wants a package that is not installed
                importlib.import_module(found.name)


def compiled(name: str, code: str) -> types.CodeType:
    """Generated code, ready to run as a module of a name. Nothing of it runs. Raises whatever Python says of it."""
    warnings.simplefilter("ignore")  # nobody reads them, and they would hide what is said before an end
    return compile(code, f"<{name}>", "exec")


def execute(name: str, code: str | types.CodeType) -> types.ModuleType:
    """Run generated code as a module of a name; annotations are looked up there. Raises whatever it raises."""
    ready = compiled(name, code) if isinstance(code, str) else code
    module = types.ModuleType(name)
    sys.modules[name] = module
    exec(ready, module.__dict__)
    return module


def plain(value: Any) -> Any:
    """A value as JSON can say it; what it cannot say is spelled out.

    Raises:
        ValueError: a number that is not finite, or a value that holds itself.
    """
    return json.loads(json.dumps(value, default=str, allow_nan=False, skipkeys=True))
