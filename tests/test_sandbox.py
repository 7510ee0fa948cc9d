"""The parts of the sandbox, each by itself: frames, ladder, filter, rulesets, limits, the inside of workers."""

import ctypes
import errno
import gc
import importlib
import os
import platform
import re
import runpy
import signal
import socket
import struct
import sys
import time
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest

from awm_gym.errors import EnvironmentFault, SandboxUnavailable
from awm_gym.sandbox import (
    boot,
    doctor,
    frames,
    landlock,
    lockdown,
    protection,
    seccomp,
    selftest,
    serve,
    syscalls,
    worker,
)
from awm_gym.sandbox.frames import FrameError
from awm_gym.sandbox.line import Line, LineClosed
from awm_gym.sandbox.lockdown import Limits
from awm_gym.sandbox.protection import LAYERS, UNSANDBOXED, Layer, Protection, require, unsandboxed_allowed
from awm_gym.sandbox.syscalls import MACHINES

ON, OFF = Layer(True, "it holds"), Layer(False, "ENOSYS")


def _no_lock():
    """Locks nothing."""


linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")


class TestFrames:
    def test_a_frame_is_read_as_it_was_written(self):
        data = frames.encode({"id": 1, "text": "\N{SNOWMAN}\0"}, b"blob")
        header, rest = data[: frames.HEADER_BYTES], data[frames.HEADER_BYTES :]
        sizes = frames.lengths(header)
        assert frames.decode(rest[: sizes.message]) == {"id": 1, "text": "\N{SNOWMAN}\0"}
        assert rest[sizes.message :] == b"blob"
        assert sizes.blob == 4

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), {1}, "\ud800", b""])
    def test_what_json_does_not_know_is_not_sent(self, value):
        with pytest.raises(FrameError, match="not JSON"):
            frames.encode({"value": value})

    def test_what_is_nested_without_end_is_not_sent(self):
        endless = []
        endless.append(endless)
        with pytest.raises(FrameError, match="not JSON"):
            frames.encode({"value": endless})

    def test_the_limit_counts_both_parts(self):
        assert frames.encode({}, b"x" * 8, limit=10)
        with pytest.raises(FrameError, match="11 bytes; at most 10"):
            frames.encode({}, b"x" * 9, limit=10)
        with pytest.raises(FrameError, match="11 bytes; at most 10"):
            frames.lengths(struct.pack("<II", 5, 6), limit=10)

    @pytest.mark.parametrize(
        "text",
        [
            b"",
            b"{",
            b"{} x",
            b"{'a':1}",
            b"\xff",
            b"\xef\xbb\xbf{}",
            b'{"a":NaN}',
            b'{"a":-Infinity}',
            b'{"a":1e999}',
            b'{"a":1,"a":1}',
            b'{"a":"\\ud800"}',
            b'{"a":' + b"9" * 5_000 + b"}",
            b"[" * 200_000,
            b'{"a":' * 200_000,
        ],
    )
    def test_what_strict_json_does_not_know_is_refused(self, text):
        with pytest.raises(FrameError, match="not JSON"):
            frames.decode(text)

    @pytest.mark.parametrize(("text", "kind"), [(b"[]", "list"), (b"1", "int"), (b"null", "NoneType")])
    def test_only_objects_are_messages(self, text, kind):
        with pytest.raises(FrameError, match=f"a JSON {kind}, not an object"):
            frames.decode(text)

    def test_floats_and_escapes_are_read(self):
        assert frames.decode(b'{"a":1.5,"b":"\\u00e9\\ud83d\\ude00"}') == {"a": 1.5, "b": "\u00e9\U0001f600"}


class TestProtection:
    @pytest.mark.parametrize(
        ("layers", "level"),
        [
            ((ON, ON, ON), 3),
            ((ON, OFF, ON), 2),
            ((OFF, ON, ON), 1),
            ((OFF, OFF, ON), 0),
            ((ON, ON, OFF), 0),
        ],
    )
    def test_the_level_is_a_matter_of_layers(self, layers, level):
        assert Protection(*layers).level == level

    def test_it_goes_into_metadata(self):
        said = Protection(ON, OFF, ON, ("a note",)).to_json()
        assert said == {
            "level": 2,
            "seccomp": "it holds",
            "landlock": "ENOSYS",
            "rlimits": "it holds",
            "notes": ["a note"],
        }
        report = {"seccomp": [True, "it holds"], "landlock": [False, "ENOSYS"], "rlimits": [True, "it holds"]}
        assert Protection.of_report(report | {"notes": ["a note"]}) == Protection(ON, OFF, ON, ("a note",))

    def test_what_is_enough_is_the_user_s_choice(self, monkeypatch):
        monkeypatch.delenv(UNSANDBOXED, raising=False)
        require(Protection(ON, OFF, ON))
        require(Protection(OFF, ON, ON), partial=True)
        require(Protection(OFF, OFF, OFF), allow_unsandboxed=True)
        with pytest.raises(SandboxUnavailable, match=r"level 1 \(partial\)\. seccomp: ENOSYS\. .*partial=True"):
            require(Protection(OFF, ON, ON))
        with pytest.raises(SandboxUnavailable, match=r"level 0 \(none\)\. seccomp: ENOSYS; landlock: ENOSYS") as caught:
            require(Protection(OFF, OFF, ON), partial=True)
        assert "partial=True" not in str(caught.value)
        monkeypatch.setenv(UNSANDBOXED, "0")
        assert not unsandboxed_allowed(False)
        monkeypatch.setenv(UNSANDBOXED, "1")
        assert unsandboxed_allowed(False)
        require(Protection(OFF, OFF, OFF))

    @pytest.mark.parametrize(
        ("held", "words"),
        [
            (Protection(OFF, ON, ON), r"level 1 \(partial\)\. seccomp: ENOSYS\. Open to it: UDP"),
            (Protection(OFF, OFF, ON), r"level 0 \(none\)\. .*Open to it: all"),
        ],
    )
    def test_who_accepts_little_is_told_once_what_is_open(self, monkeypatch, held, words):
        monkeypatch.setattr(protection, "_warned", set())
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            protection.warn_once(Protection(ON, OFF, ON))
        with pytest.warns(protection.WeakSandboxWarning, match=words):
            protection.warn_once(held)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            protection.warn_once(held)


def verdict(program, known, call, *arguments, audit=None):
    """What the kernel's machine would say: a small one of our own runs the filter."""
    number = known.calls[call] if isinstance(call, str) else call
    shown = struct.pack("<IIQ6Q", number, audit or known.audit, 0, *(*arguments, *[0] * (6 - len(arguments))))
    at, value = 0, 0
    while True:
        code, if_true, if_false, constant = program[at]
        at += 1
        if code == 0x06:
            return constant
        if code == 0x20:
            value = struct.unpack_from("<I", shown, constant)[0]
        elif code == 0x54:
            value &= constant
        else:
            holds = {0x15: value == constant, 0x35: value >= constant, 0x45: bool(value & constant)}[code]
            at += if_true if holds else if_false


@pytest.fixture(params=sorted(MACHINES))
def known(request):
    return MACHINES[request.param]


THREAD, FORK, NEW_USER = 0x3D0F00, 0x1200011, 0x10000000
CHECKED = [
    ("clone", (THREAD,), True),
    ("clone", (THREAD | NEW_USER,), False),
    ("clone", (FORK | NEW_USER,), False),
    ("clone", (0x4111,), False),  # as posix_spawn does
    ("mmap", (0, 4096, 3), True),
    ("mmap", (0, 4096, 7), False),
    ("mprotect", (0, 4096, 1), True),
    ("mprotect", (0, 4096, 5), False),
    ("ioctl", (0, 0x5421), True),
    ("ioctl", (0, 0x5412), False),  # puts characters into the terminal
    ("fcntl", (3, 4), True),
    ("fcntl", (3, 8), False),  # names the process that gets signals
    ("prlimit64", (0, 7, 0), True),
    ("prlimit64", (0, 7, 1), False),
    ("prlimit64", (0, 7, 2**32), False),
    ("prctl", (15,), True),
    ("prctl", (22,), False),
    ("socketpair", (1, 1 | 0o2004000), True),
    ("socketpair", (1, 2), False),
    ("socketpair", (1, 5), False),
    ("socketpair", (2, 1), False),
    ("sendto", (3, 1, 1, 0, 0), True),
    ("sendto", (3, 1, 1, 0, 1), False),
    ("sendto", (3, 1, 1, 0, 2**32), False),
]


class TestSeccomp:
    @pytest.mark.parametrize("children", [False, True])
    def test_the_filter_says_of_every_call_what_was_decided(self, known, children):
        program = seccomp.filter_for(known, children=children)
        checked = {name for name, _, _ in CHECKED} | {"clone3", "recvmsg", "seccomp"}
        for name in known.calls:
            if name in checked:
                continue
            expected = seccomp.NO_FILE if name in seccomp.PATHS else seccomp.ALLOW
            assert verdict(program, known, name) == expected, name
        assert set(known.calls) <= checked | set(seccomp.HARMLESS) | set(seccomp.PATHS)
        everything = set(range(600)) - set(known.calls.values())
        assert {verdict(program, known, number) for number in everything} == {seccomp.DENY}

    @pytest.mark.parametrize(("name", "arguments", "allowed"), CHECKED)
    @pytest.mark.parametrize("children", [False, True])
    def test_arguments_decide(self, known, name, arguments, allowed, children):
        found = verdict(seccomp.filter_for(known, children=children), known, name, *arguments)
        assert (found == seccomp.ALLOW) == allowed
        assert found in (seccomp.ALLOW, seccomp.DENY, seccomp.NO_TERMINAL)

    @pytest.mark.parametrize(
        ("name", "arguments"),
        [("clone", (FORK,)), ("clone", (17,)), ("recvmsg", ()), ("seccomp", ()), ("prctl", (1, 9))],
    )
    def test_what_a_worker_with_children_may_its_child_and_others_may_not(self, known, name, arguments):
        assert verdict(seccomp.filter_for(known, children=True), known, name, *arguments) == seccomp.ALLOW
        assert verdict(seccomp.filter_for(known, children=False), known, name, *arguments) == seccomp.DENY
        if name != "prctl":  # harmless: it can only ask again for what it has
            assert verdict(seccomp.filter_of_child(known), known, name, *arguments) == seccomp.DENY

    def test_nobody_may_stop_dying_with_the_parent(self, known):
        assert verdict(seccomp.filter_for(known, children=True), known, "prctl", 1, 0) == seccomp.DENY

    def test_a_child_adds_nothing_else(self, known):
        program = seccomp.filter_of_child(known)
        assert verdict(program, known, "read") == seccomp.ALLOW
        assert verdict(program, known, "clone", THREAD) == seccomp.ALLOW

    def test_the_c_library_learns_that_there_is_no_clone3(self, known):
        assert verdict(seccomp.filter_for(known, children=True), known, "clone3") == seccomp.NO_CALL

    @pytest.mark.parametrize("make", [seccomp.filter_of_child, lambda known: seccomp.filter_for(known, children=False)])
    def test_a_foreign_calling_convention_kills(self, known, make):
        program = make(known)
        assert verdict(program, known, "read", audit=0x40000003) == seccomp.KILL
        if known.foreign:
            assert verdict(program, known, known.foreign + 39) == seccomp.KILL

    def test_it_is_handed_to_the_kernel(self, monkeypatch):
        handed = []

        def take(number, operation, flags, header):
            length, place = struct.unpack("@HP", header)
            handed.append((number, operation, flags, length, ctypes.string_at(place, 8 * length)))
            return len(handed) - 1

        monkeypatch.setattr(seccomp, "machine", lambda: MACHINES["x86_64"])
        monkeypatch.setattr(seccomp, "syscall", take)
        program = seccomp.filter_of_child(MACHINES["x86_64"])
        seccomp.install(seccomp.pack(program))
        packed = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
        assert handed == [(317, 1, 1, len(program), packed)]
        with pytest.raises(OSError, match="a thread"):
            seccomp.install(seccomp.pack(program))


class TestSyscalls:
    @pytest.mark.parametrize(
        ("name", "header"),
        [
            ("x86_64", "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
            ("aarch64", "/usr/include/asm-generic/unistd.h"),
        ],
    )
    def test_the_numbers_are_those_of_the_kernel_s_headers(self, name, header):
        if not Path(header).is_file():
            pytest.skip(f"{header} is not installed")
        defined = re.findall(r"^#define __NR(?:3264)?_(\w+) (\d+)$", Path(header).read_text("utf-8"), re.MULTILINE)
        theirs = {call: int(number) for call, number in defined}
        theirs.setdefault("newfstatat", theirs.get("fstatat"))  # the generic table's word for it
        assert MACHINES[name].calls == {call: theirs[call] for call in MACHINES[name].calls}

    def test_an_unknown_machine_is_no_layer(self, monkeypatch):
        monkeypatch.setattr(platform, "machine", lambda: "sparc64")
        with pytest.raises(OSError, match="sparc64"):
            syscalls.machine()

    @linux
    def test_calls_answer_or_raise(self):
        assert syscalls.syscall(syscalls.machine().calls["getppid"]) == os.getppid()
        with pytest.raises(OSError, match="not implemented"):
            syscalls.syscall(9_999, None, b"")
        assert syscalls.prctl(3, 0) in (0, 1)  # whether this process may be traced
        with pytest.raises(OSError, match="Invalid"):
            syscalls.prctl(9_999, 0)


class TestLandlock:
    @pytest.mark.parametrize(
        ("spoken", "fields"),
        [
            (1, (2**13 - 1,)),
            (2, (2**14 - 1,)),
            (3, (2**15 - 1,)),
            (4, (2**15 - 1, 3)),
            (5, (2**16 - 1, 3)),
            (6, (2**16 - 1, 3, 3)),
            (9, (2**16 - 1, 3, 3)),
        ],
    )
    def test_each_version_is_told_all_that_it_can_forbid(self, spoken, fields):
        assert landlock.ruleset(spoken) == struct.pack(f"={len(fields)}Q", *fields)

    @pytest.mark.parametrize("fails", [False, True])
    def test_the_ruleset_is_put_in_force_and_its_descriptor_closed(self, monkeypatch, tmp_path, fails):
        calls = []
        rules = os.open(tmp_path, os.O_RDONLY)

        def call(number, *arguments):
            calls.append((number, *arguments))
            if number == 446 and fails:
                raise OSError(errno.EPERM, "no")
            return {444: 4 if arguments[0] is None else rules, 446: 0}[number]

        monkeypatch.setattr(landlock, "syscall", call)
        if fails:
            with pytest.raises(OSError, match="no"):
                landlock.install()
        else:
            assert landlock.install() == 4
        assert calls == [(444, None, 0, 1), (444, landlock.ruleset(4), 16, 0), (446, rules, 0)]
        with pytest.raises(OSError, match="Bad file"):
            os.close(rules)


@pytest.fixture
def kernel(monkeypatch):
    """Installs nothing, and remembers what would have been."""
    done = []
    own = SimpleNamespace(user=1000, failing=set(), done=done)

    def step(name, answer=None):
        def take(*given):
            if name in own.failing:
                raise OSError(errno.ENOSYS, f"no {name}")
            done.append((name, *given))
            return answer

        return take

    def become(*users):
        step("setresuid")(*users)
        own.user = users[0]

    monkeypatch.setattr(lockdown, "prctl", step("prctl"))
    monkeypatch.setattr(lockdown.landlock, "install", step("landlock", 7))
    monkeypatch.setattr(lockdown.seccomp, "install", step("seccomp"))
    monkeypatch.setattr(lockdown.resource, "setrlimit", step("setrlimit"))
    monkeypatch.setattr(lockdown.resource, "getrlimit", lambda kind: (-1, 100 if kind == 7 else -1))
    monkeypatch.setattr(lockdown, "machine", lambda: MACHINES["x86_64"])
    monkeypatch.setattr(os, "getuid", lambda: own.user)
    monkeypatch.setattr(os, "setgroups", step("setgroups"))
    monkeypatch.setattr(os, "setresgid", step("setresgid"))
    monkeypatch.setattr(os, "setresuid", become)
    monkeypatch.setattr(Path, "write_text", step("write"))
    return own


@linux
class TestLockdown:
    def test_all_layers_in_their_order(self, kernel):
        report = lockdown.lock(LAYERS, Limits(memory=2**20), os.getppid(), children=True)
        assert [report[name][0] for name in LAYERS] == [True] * 3
        assert report["landlock"] == (True, "version 7")
        assert re.fullmatch(r"no files, \d+ instructions", report["seccomp"][1])
        assert report["rlimits"][1] == "1 MiB, 1024 tasks, 64 descriptors, user 1000"
        assert report["notes"] == []
        order = [name for name, *_ in kernel.done]
        assert order == ["prctl", "write", *["setrlimit"] * 7, "prctl", "prctl", "landlock", "prctl", "seccomp"]

    def test_root_becomes_a_user_that_owns_nothing_and_then_asks_to_die_with_its_parent(self, kernel):
        kernel.user = 0
        report = lockdown.lock(LAYERS, Limits(tasks=5), os.getppid(), children=False)
        assert 61_184 <= kernel.user < 65_534
        assert report["notes"] == []
        names = [name for name, *_ in kernel.done]
        assert names.index("setgroups") < names.index("setresgid") < names.index("setresuid")
        assert ("prctl", 1, signal.SIGKILL) in kernel.done[names.index("setresuid") :]
        assert ("setrlimit", lockdown.resource.RLIMIT_NPROC, (5, 5)) in kernel.done

    def test_a_root_that_stays_root_is_noted(self, kernel):
        kernel.user, kernel.failing = 0, {"setgroups"}
        report = lockdown.lock(LAYERS, Limits(), os.getppid(), children=False)
        assert "runs as root" in report["notes"][0]

    @pytest.mark.parametrize("name", ["seccomp", "landlock"])
    def test_a_layer_that_the_kernel_lacks_is_reported_with_the_reason(self, kernel, name):
        kernel.failing = {name}
        report = lockdown.lock(LAYERS, Limits(), os.getppid(), children=False)
        assert report[name] == (False, f"[Errno 38] no {name}")
        assert [report[other][0] for other in LAYERS if other != name] == [True, True]

    def test_a_kernel_without_any_reports_none(self, kernel):
        kernel.failing = {"setrlimit", "landlock", "seccomp", "write"}
        report = lockdown.lock(LAYERS, Limits(), os.getppid(), children=False)
        assert [report[name][0] for name in LAYERS] == [False] * 3

    def test_layers_not_asked_for_are_not_tried(self, kernel):
        report = lockdown.lock((), Limits(), os.getppid(), children=False)
        assert [report[name] for name in LAYERS] == [(False, "not asked for")] * 3
        assert kernel.done == [("prctl", 1, signal.SIGKILL)]

    def test_bounds_below_ours_stay(self, kernel):
        lockdown.lock(LAYERS, Limits(open_files=1_000), os.getppid(), children=False)
        assert ("setrlimit", lockdown.resource.RLIMIT_NOFILE, (100, 100)) in kernel.done

    def test_the_tasks_of_an_ordinary_user_count(self, kernel, monkeypatch):
        monkeypatch.setattr(lockdown, "_tasks_of", lambda user: 30 if user == 1000 else 0)
        lockdown.lock(LAYERS, Limits(tasks=5), os.getppid(), children=False)
        assert ("setrlimit", lockdown.resource.RLIMIT_NPROC, (35, 35)) in kernel.done

    def test_tasks_are_counted_as_the_kernel_does(self):
        assert lockdown._tasks_of(os.getuid()) >= 1
        assert lockdown._tasks_of(123_456_789) == 0

    def test_a_process_whose_parent_has_ended_ends(self, kernel, monkeypatch):
        ended = []
        monkeypatch.setattr(os, "_exit", ended.append)
        lockdown.die_with(os.getppid())
        assert ended == []
        lockdown.die_with(-1)
        assert ended == [1]

    @pytest.mark.parametrize("held", [True, False])
    def test_a_child_is_locked_further_where_there_is_a_filter(self, kernel, held):
        lockdown.child_lock({"seccomp": [held, ""]})()
        assert [name for name, *_ in kernel.done] == ["seccomp"] * held


class TestLine:
    @pytest.fixture
    def ends(self):
        near, far = socket.socketpair()
        output, printing = os.pipe()
        line = Line(near, output, frame=100, kept=10)
        yield line, far, printing
        far.close()
        for descriptor in (printing,):
            try:
                os.close(descriptor)
            except OSError:
                continue
        line.close()

    def test_frames_come_in_pieces(self, ends):
        line, far, _ = ends
        for byte in frames.encode({"a": 1}, b"xyz"):
            far.send(bytes([byte]))
        assert line.receive(time.monotonic() + 5) == ({"a": 1}, b"xyz")

    def test_too_much_is_refused_before_it_is_read(self, ends):
        line, far, _ = ends
        far.send(struct.pack("<II", 100, 1))
        with pytest.raises(EnvironmentFault, match="101 bytes; at most 100"):
            line.receive(time.monotonic() + 5)

    def test_waiting_ends(self, ends):
        line, _, _ = ends
        with pytest.raises(EnvironmentFault, match="in time"):
            line.receive(time.monotonic())
        with pytest.raises(EnvironmentFault, match="in time"):
            line.send(b"x" * 2**24, time.monotonic() + 0.01)

    def test_what_is_printed_is_read_while_waiting(self, ends):
        line, far, printing = ends
        os.write(printing, b"0123456789abc")
        with pytest.raises(EnvironmentFault, match="in time"):
            line.receive(time.monotonic() + 0.01)
        assert line.printed == "3456789abc"
        os.close(printing)
        with pytest.raises(EnvironmentFault, match="in time"):
            line.receive(time.monotonic() + 0.01)
        far.send(frames.encode({}))
        assert line.receive(time.monotonic() + 5) == ({}, b"")

    def test_a_side_that_is_gone_is_noticed(self, ends):
        line, far, _ = ends
        far.close()
        with pytest.raises(LineClosed, match="has ended"):
            line.receive(time.monotonic() + 5)
        with pytest.raises(LineClosed, match="has ended"):
            line.send(b"x", time.monotonic() + 5)

    def test_a_side_that_left_with_letters_unread_is_noticed(self, ends):
        line, far, _ = ends
        line.send(b"x", time.monotonic() + 5)
        far.close()
        with pytest.raises(LineClosed, match="has ended"):
            line.receive(time.monotonic() + 5)

    @linux
    def test_a_first_word_is_signed_by_the_kernel(self):
        near, far = socket.socketpair()
        near.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        output, printing = os.pipe()
        line = Line(near, output, frame=100, kept=10)
        with far:
            far.send(frames.encode({"ready": {}}))
            assert line.receive_signed(time.monotonic() + 5) == ({"ready": {}}, os.getpid())
            far.send(b"x")
            with pytest.raises(LineClosed, match="before it was ready"):
                line.receive_signed(time.monotonic() + 5)
        os.close(printing)
        line.close()


@pytest.fixture
def talk():
    """Two ends of a conversation: ours to write requests to, and a worker's channel."""
    ours, theirs = socket.socketpair()
    with ours:
        channel = serve.Channel(theirs.detach(), 1_000, passes=True)
        yield ours, channel
        channel.close()


def heard(ours):
    """All answers that have come."""
    ours.setblocking(False)
    data = b""
    try:
        while part := ours.recv(2**16):
            data += part
    except BlockingIOError:
        pass
    found = []
    while data:
        sizes = frames.lengths(data[:8])
        found.append(frames.decode(data[8 : 8 + sizes.message]))
        data = data[8 + sum(sizes) :]
    return found


def ask(ours, *messages, descriptors=()):
    for message in messages:
        socket.send_fds(ours, [frames.encode(message)], descriptors)
    ours.shutdown(socket.SHUT_WR)


@linux
class TestServe:
    """The inside of workers, run here where it can be looked at; the worker tests run it in processes of its own."""

    def test_a_zygote_preloads_forks_and_reaps(self, talk, monkeypatch):
        ours, channel = talk
        done = []
        monkeypatch.setattr(serve, "Channel", lambda *_, **__: channel)
        monkeypatch.setattr(serve, "prctl", lambda *given: done.append(given))
        monkeypatch.setattr(gc, "freeze", lambda: done.append("frozen"))
        monkeypatch.setattr(os, "fork", lambda: 5)
        monkeypatch.setattr(os, "waitpid", lambda process, _: self.wait(done, process))
        order = {"program": "sandbox_programs:runner"}
        with open(os.devnull, encoding="utf-8") as passed:
            ask(
                ours,
                {"id": 1, "preload": ["colorsys"], "path": list(sys.path)},
                {"id": 2, "fork": order},
                {"id": 3, "reap": 5},
                {"id": 4, "fork": {"program": "sandbox_programs:nothing"}},
                {"id": 5, "other": 1},
                descriptors=[passed.fileno()],
            )
        serve.zygote(0)
        answers = heard(ours)
        assert answers[:3] == [{"id": 1, "result": None}, {"id": 2, "result": None}, {"id": 3, "result": 3}]
        assert answers[3]["error"].startswith("AttributeError")
        assert answers[4] == {"id": 5, "result": None}
        assert done == [(36, 1), "frozen", 5, -5]

    @staticmethod
    def wait(done, process):
        done.append(process)
        if process < 0:
            raise ChildProcessError
        return process, 3 << 8

    def test_a_zygote_ends_with_the_trainer(self, talk, monkeypatch):
        _, channel = talk
        parents = iter([10, 10, 1])
        monkeypatch.setattr(serve, "Channel", lambda *_, **__: channel)
        monkeypatch.setattr(serve, "prctl", lambda *_: None)
        monkeypatch.setattr(serve, "_HEARTBEAT", 1)
        monkeypatch.setattr(os, "getppid", lambda: next(parents))
        serve.zygote(0)
        assert list(parents) == []

    def test_a_forked_worker_lives_and_ends(self, talk, monkeypatch):
        _, channel = talk
        lives = []
        monkeypatch.setattr(os, "fork", lambda: 0)
        monkeypatch.setattr(serve, "_become", lambda life, inherited: lives.append((life, inherited)))
        monkeypatch.setattr(serve, "_work", lambda *given: lives.append(given))
        order = {"program": "sandbox_programs:runner"}
        serve._obey(serve.Request({"fork": order}, b"", [7, 8]), channel)
        lives[0][0]()
        assert lives[0][1] is channel
        assert lives[1][1:] == (order, [7, 8], os.getpid())

    @pytest.mark.parametrize("well", [True, False])
    def test_a_forked_process_never_returns(self, talk, monkeypatch, capsys, well):
        _, channel = talk

        def life():
            if not well:
                raise SystemExit("over")

        def leave(code):
            raise InterruptedError(code)

        monkeypatch.setattr(os, "_exit", leave)
        with pytest.raises(InterruptedError, match="0" if well else "1"):
            serve._become(life, channel)
        assert ("SystemExit: over" in capsys.readouterr().err) is not well

    def test_a_worker_locks_itself_says_so_and_serves(self, monkeypatch):
        ours, theirs = socket.socketpair()
        output, printing = os.pipe()
        steps = []

        def group(process, leader):
            steps.append((process, leader))

        def duplicate(old, new, *, inheritable):
            steps.append((old == printing, new, inheritable))

        monkeypatch.setattr(serve, "os", SimpleNamespace(**vars(os) | {"setpgid": group, "dup2": duplicate}))
        monkeypatch.setattr(signal, "signal", lambda *given: steps.append(given))
        monkeypatch.setattr(
            serve, "lock", lambda *given, children: steps.append((*given[::2], children)) or {"seccomp": [False, ""]}
        )

        def program():
            steps.append("program")
            return lambda method, params, blob: (method, blob)

        order = {"limits": {"memory": 1}, "children": False, "layers": ["seccomp"]}
        ask(ours, {"id": 1, "method": "m", "params": {}})
        serve._work(program, order, [theirs.detach(), printing], 10)
        assert heard(ours) == [{"ready": {"seccomp": [False, ""]}}, {"id": 1, "result": "m"}]
        ignored = (signal.SIGCHLD, signal.SIG_IGN)
        assert steps == [(0, 0), (True, 1, False), (True, 2, False), ignored, (["seccomp"], 10, False), "program"]
        os.close(output)
        ours.close()

    def test_whatever_a_program_raises_or_answers_is_told(self, talk):
        ours, channel = talk

        def answer(method, params, blob):
            if method == "exit":
                raise SystemExit("bye")
            if method == "bad":
                raise ValueError("\ud800")
            return {"nan": float("nan"), "long": "x" * 2_000, "none": None}[method], blob

        methods = ["exit", "bad", "nan", "long", "none"]
        ask(ours, *[{"id": number, "method": method, "params": {}} for number, method in enumerate(methods)])
        serve._serve(channel, answer, _no_lock, Limits())
        said = heard(ours)
        assert said[0] == {"id": 0, "error": "SystemExit: bye"}
        assert said[1] == {"id": 1, "error": "ValueError: ?"}
        assert said[2]["error"].startswith("the answer is not JSON")
        assert said[3]["error"].startswith("the answer is a frame of")
        assert said[4] == {"id": 4, "result": None}

    def test_a_template_forks_and_goes_on(self, talk, monkeypatch):
        ours, channel = talk
        monkeypatch.setattr(os, "fork", lambda: 5)
        with open(os.devnull, encoding="utf-8") as passed:
            ask(ours, {"id": 1, "fork": {}}, descriptors=[passed.fileno()])
        serve._serve(channel, lambda *_: (None, b""), _no_lock, Limits())
        assert heard(ours) == [{"id": 1, "result": None}]

    def test_a_template_that_cannot_fork_says_so_and_keeps_no_descriptor(self, talk, monkeypatch):
        _, channel = talk
        passed = []

        def refuse():
            raise BlockingIOError(11, "no more processes")

        monkeypatch.setattr(os, "fork", refuse)
        request = serve.Request({"id": 1, "fork": {}}, b"", [os.dup(0)])
        passed += request.descriptors
        with pytest.raises(BlockingIOError):
            serve._forked(channel, request, _no_lock, Limits())
        with pytest.raises(OSError, match="Bad file"):
            os.close(passed[0])

    def test_a_child_goes_on_with_a_channel_of_its_own(self, talk, monkeypatch):
        _, channel = talk
        ours, theirs = socket.socketpair()
        steps = []
        kept = {"fork": lambda: 0, "dup2": lambda *_, inheritable: None}
        monkeypatch.setattr(serve, "os", SimpleNamespace(**vars(os) | kept))
        monkeypatch.setattr(serve, "die_with", lambda parent: steps.append(parent))
        request = serve.Request({"id": 1, "fork": {}}, b"", [theirs.detach(), os.dup(0)])
        own = serve._forked(channel, request, lambda: steps.append("locked"), Limits())
        assert steps == [os.getpid(), "locked"]
        assert heard(ours) == [{"ready": {}}]
        assert not own.passes
        ask(ours, {"id": 2, "method": "m", "params": {}})
        assert own.receive().message["id"] == 2
        with pytest.raises(serve.Ended):
            own.receive()
        own.close()
        ours.close()

    def test_a_child_begins_before_it_answers(self, talk, monkeypatch):
        ours, channel = talk
        channel.passes = False
        begun = []

        class Program:
            def begin(self, idle):
                begun.append(idle(0))

            def __call__(self, method, params, blob):
                return begun[:], b""

        monkeypatch.setattr(serve, "_forked", lambda channel, *_: channel)
        ours.sendall(frames.encode({"id": 1, "fork": {}}))
        ask(ours, {"id": 2, "method": "m", "params": {}})
        serve._serve(channel, Program(), _no_lock, Limits())
        assert heard(ours) == [{"id": 2, "result": [False]}]

    def test_a_child_that_cannot_be_locked_ends(self, talk, monkeypatch, capsys):
        _, channel = talk

        def refuse(parent):
            raise OSError("not locked")

        def leave(code):
            raise InterruptedError(code)

        monkeypatch.setattr(os, "fork", lambda: 0)
        monkeypatch.setattr(os, "_exit", leave)
        monkeypatch.setattr(serve, "_settle", lambda *_, passes: channel)
        monkeypatch.setattr(serve, "die_with", refuse)
        with pytest.raises(InterruptedError, match="1"):
            serve._forked(channel, serve.Request({}, b"", []), _no_lock, Limits())
        assert "not locked" in capsys.readouterr().err

    def test_the_first_code_stands_in_for_the_package_s_front(self, monkeypatch):
        started = []
        monkeypatch.setitem(sys.modules, "awm_gym", sys.modules["awm_gym"])
        monkeypatch.setattr(sys, "argv", ["boot.py", "5"])
        module = SimpleNamespace(zygote=started.append)
        monkeypatch.setattr(importlib, "import_module", lambda name: module)
        runpy.run_path(boot.__file__, run_name="__main__")
        assert started == [5]
        assert sys.modules["awm_gym"].__path__ == [str(Path(boot.__file__).parent.parent)]


@linux
class TestSelfTest:
    def test_what_works_is_reached_and_what_is_refused_is_not(self):
        def raising(error):
            def attempt():
                raise error

            return attempt

        assert selftest.reached(lambda: None)
        assert selftest.reached(raising(ConnectionRefusedError()))
        assert not selftest.reached(raising(PermissionError()))
        assert not selftest.reached(raising(FileNotFoundError()))

    def test_here_where_nothing_is_locked_nothing_is_stopped(self):
        found, blob = selftest.program()("attempts", {}, b"")
        assert (found, blob) == (list(selftest.ATTEMPTS), b"")
        os.wait()

    def test_the_one_who_was_forked_leaves(self, monkeypatch):
        ended = []
        monkeypatch.setattr(os, "fork", lambda: 0)
        monkeypatch.setattr(os, "_exit", ended.append)
        selftest.ATTEMPTS[selftest.FORK]()
        assert ended == [0]

    def test_what_must_fail_is_a_matter_of_the_level(self):
        assert selftest.must_fail(3, forked=True) == set(selftest.ATTEMPTS)
        assert selftest.must_fail(2, forked=False) == set(selftest.ATTEMPTS) - {selftest.FORK}
        assert selftest.must_fail(1, forked=True) == {"reading a file", "writing a file"}
        assert selftest.must_fail(0, forked=True) == set()


class TestDoctor:
    @linux
    def test_it_tells_of_each_layer(self):
        rows = {row.layer: row for row in doctor.rows()}
        assert set(rows) >= {*LAYERS, "self-test", "sandbox"}
        said = doctor.report()["sandbox"]
        assert [row["layer"] for row in said] == [row.layer for row in doctor.rows()]

    @pytest.mark.parametrize(
        ("held", "holes", "expected"),
        [
            (Protection(ON, ON, ON), (), ("passed", "8 attempts stopped", "strong", "generated Python may run")),
            (Protection(ON, OFF, ON), ("fork",), ("failed", "fork", "good", "generated Python is not run")),
            (Protection(OFF, OFF, ON, ("x",)), (), ("passed", "0 attempts", "none", "generated Python is not run")),
        ],
    )
    def test_it_says_whether_that_is_enough(self, monkeypatch, held, holes, expected):
        monkeypatch.delenv(UNSANDBOXED, raising=False)
        monkeypatch.setattr(doctor, "trial", lambda: worker.Trial(held, holes))
        rows = {row.layer: row for row in doctor.rows()}
        test, whole = rows["self-test"], rows["sandbox"]
        assert (test.state, whole.state) == (expected[0], expected[2])
        assert test.why.startswith(expected[1])
        assert whole.why.startswith(expected[3])
        assert ("note" in rows) == bool(held.notes)

    @pytest.mark.parametrize("error", [SandboxUnavailable("no Linux"), EnvironmentFault("did not start")])
    def test_it_says_why_nothing_can_be_tried(self, monkeypatch, error):
        def fail():
            raise error

        monkeypatch.setattr(doctor, "trial", fail)
        assert doctor.rows() == (("sandbox", "none", str(error)),)
