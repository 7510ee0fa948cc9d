"""Programs for workers in tests; their modules are imported before the lock. Named `sandbox_programs:function`."""

import ctypes
import gc
import mmap
import os
import pathlib
import resource
import select
import signal
import socket
import struct
import sys
import threading
import time

# what the attacks import must be there before the lock
TRUSTED = (ctypes, gc, mmap, os, pathlib, resource, select, signal, socket, struct, sys, threading, time)
ARGS = {}  # of the attack under way


def runner():
    """Runs text that nobody trusts, and does small things on request."""
    state = {"count": 0}

    def answer(method, params, blob):
        if method == "attack":
            return attacked(params["code"], params.get("args", {})), b""
        if method == "run":
            names = {"ARGS": params.get("args", {}), "STATE": state}
            exec(params["code"], names)
            return names.get("result"), b""
        return params, blob

    return answer


def attacked(code, args):
    """What became of an attack: it sets `escaped`, or what stops it raises."""
    ARGS.update(args)
    names = {"escaped": False, "why": ""}
    try:
        exec(code, names)
    except (OSError, ValueError, MemoryError, RuntimeError) as error:
        return {"escaped": False, "why": f"{type(error).__name__}: {error}"}
    return {"escaped": bool(names["escaped"]), "why": str(names["why"])}


def broken():
    """Cannot be made."""
    raise ValueError("this program is broken")
