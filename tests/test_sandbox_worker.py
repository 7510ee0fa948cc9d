"""Workers: what a call brings back, and how every way to break one ends."""

import gc
import os
import select
import signal
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import pytest

from awm_gym.errors import EnvironmentFault, SandboxUnavailable, UsageError
from awm_gym.sandbox import protection
from awm_gym.sandbox import worker as workers
from awm_gym.sandbox import zygote as zygotes
from awm_gym.sandbox.lockdown import Limits
from awm_gym.sandbox.process import Invited
from awm_gym.sandbox.protection import UNSANDBOXED, Layer, Protection, WeakSandboxWarning
from awm_gym.sandbox.worker import Trial, Worker, trial
from awm_gym.sandbox.zygote import Zygote, zygote

if sys.platform != "linux":
    pytest.skip("generated Python runs on Linux only", allow_module_level=True)
pytestmark = pytest.mark.filterwarnings("ignore::awm_gym.sandbox.protection.WeakSandboxWarning")

RUNNER = "sandbox_programs:runner"
CHANNEL = """
import os, struct
def say(text, sizes=None, blob=b''):
    data = text.encode()
    data = struct.pack('<II', *(sizes or (len(data), len(blob)))) + data + blob
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, data)
        except OSError:
            pass
"""


@pytest.fixture(autouse=True)
def _level():
    """Workers at the level that this machine has; the attack tests say where it is too low."""
    if trial().protection.level < 2:
        pytest.skip(f"this kernel locks nothing up: {trial().protection.to_json()}")


@pytest.fixture
def worker():
    with Worker(RUNNER, children=True, limits=Limits(call_seconds=10)) as started:
        yield started


def run(process, code, **options):
    return process.call("run", {"code": code}, **options).result


def healthy():
    """A fresh worker works."""
    with Worker(RUNNER) as fresh:
        return fresh.call("echo", {"a": 1}).result == {"a": 1}


def gone(process):
    """Whether a process has ended; waits for that."""
    try:
        watched = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([watched], [], [], 10)[0])
    finally:
        os.close(watched)


def test_a_call_takes_json_and_bytes_there_and_back(worker):
    reply = worker.call("echo", {"a": [1, 2.5, None, "\N{SNOWMAN}"]}, b"\0\xff")
    assert reply == ({"a": [1, 2.5, None, "\N{SNOWMAN}"]}, b"\0\xff")
    assert worker.call("echo").result == {}


def test_a_worker_says_what_holds_it(worker):
    assert worker.protection.level == trial().protection.level
    assert worker.alive


def test_state_stays_in_a_worker_and_a_child_starts_from_it(worker):
    add = "STATE['count'] += 1\nresult = STATE['count']"
    assert run(worker, add) == 1
    with worker.child() as first, worker.child() as second:
        assert [run(first, add), run(first, add), run(second, add)] == [2, 3, 2]
        assert first.protection == worker.protection
    assert run(worker, add) == 2


def test_the_next_child_can_be_forked_ahead_from_the_same_state(worker):
    add = "STATE['count'] += 1\nresult = [STATE['count'], __import__('os').getpid()]"
    run(worker, add)
    worker.ahead()
    worker.ahead()  # one is enough
    with worker.child() as first, worker.child() as second:
        found = [run(first, add), run(second, add)]
    assert [count for count, _ in found] == [2, 2]
    assert len({process for _, process in found}) == 2


def test_a_child_that_was_forked_ahead_does_not_outlive_a_call_of_its_worker(worker):
    worker.ahead()
    assert run(worker, "STATE['count'] = 7") is None
    assert worker._ahead == []
    with worker.child() as fresh:
        assert run(fresh, "result = STATE['count']") == 7


def test_a_worker_that_is_closed_with_a_child_forked_ahead_is_gone(worker):
    worker.ahead()
    worker.close()
    with pytest.raises(EnvironmentFault, match="not there any more"):
        worker.child()


def test_that_none_can_be_forked_ahead_is_told_to_who_asks_for_one(worker):
    worker.close()
    worker.ahead()
    with pytest.raises(EnvironmentFault, match="not there any more"):
        worker.child()


def test_a_worker_that_is_killed_with_a_child_forked_ahead_is_a_fault(worker):
    worker.ahead()
    os.kill(worker.process, signal.SIGKILL)
    with pytest.raises(EnvironmentFault):
        run(worker, "result = 1")
    assert not worker.alive


def test_what_is_printed_is_kept_to_a_bound(worker):
    limits = Limits(output=1_000)
    with Worker(RUNNER, limits=limits) as small:
        run(small, "import sys\nfor n in range(100_000): print('line', n)\nprint('last', file=sys.stderr)")
        run(small, "result = 1")
        assert small.printed.endswith("last\n")
        assert len(small.printed) <= 1_000


def test_a_child_prints_for_itself(worker):
    with worker.child() as child:
        run(child, "print('from the child')")
        run(child, "")
        assert child.printed == "from the child\n"
    assert worker.printed == ""


def test_the_environment_is_empty_and_hashes_do_not_vary(worker):
    found = run(worker, "import os\nresult = [dict(os.environ), hash('awm')]")
    with Worker(RUNNER) as other:
        assert run(other, "import os\nresult = [dict(os.environ), hash('awm')]") == found
    assert set(found[0]) <= {"LANG", "LC_ALL", "PYTHONHASHSEED", "TZ", "LC_CTYPE", "LD_LIBRARY_PATH"}


def test_no_descriptor_but_the_worker_s_own_is_open(worker):
    with open(__file__, encoding="utf-8") as ours:
        os.set_inheritable(ours.fileno(), True)
        code = (
            "import os\nresult = []\nfor descriptor in range(64):\n try:\n  os.close(os.dup(descriptor))\n"
            "  result.append(descriptor)\n except OSError: pass"
        )
        with Worker(RUNNER, children=True) as fresh, fresh.child() as child:
            assert len(run(fresh, code)) == 4  # the standard three, and the channel
            assert len(run(child, code)) == 4


ENDINGS = {
    "killed": ("import ctypes\nctypes.string_at(0)", "killed by SIGSEGV"),
    "left": ("import os\nos._exit(3)", "exit status 3"),
    "left quietly": ("import sys\nprint('before the end')\nimport os\nos._exit(0)", "it printed: before the end"),
    "raised": ("raise RuntimeError('gone wrong')", "RuntimeError: gone wrong"),
    "raised what is no error": ("raise SystemExit('bye')", "SystemExit: bye"),
    "raised half a character": ("raise ValueError('\\ud800')", "ValueError: ?"),
    "raised control characters": ("raise ValueError('\\x1b[2J')", r"\x1b[2J"),
    "answered no JSON": ("result = object()", "not JSON"),
    "answered NaN": ("result = float('nan')", "not JSON"),
    "answered too much": ("result = 'x' * 2**24", "at most 8388608"),
    "hung": ("while True: pass", "did not answer in time"),
    "waits": ("import threading\nthreading.Event().wait()", "did not answer in time"),
    "floods": ("while True: print('x' * 10_000)", "did not answer in time"),
    "fills the memory": ("x = []\nwhile True: x.append(b'x' * 2**24)", "MemoryError"),
    "recurses": ("f = lambda: f()\nf()", "RecursionError"),
    "closes everything": ("import os\nfor n in range(64):\n try: os.close(n)\n except OSError: pass", "has ended"),
    "writes garbage": (CHANNEL + "say('garbage')", "not JSON"),
    "announces four gigabytes": (CHANNEL + "say('', (2**32 - 1, 0))", "at most 8388608"),
    "announces a large blob": (CHANNEL + "say('{}', (2, 2**31))", "at most 8388608"),
    "stops in a frame": (CHANNEL + "say('{', (100, 0))\nos._exit(0)", "has ended"),
    "answers an old request": (CHANNEL + 'say(\'{"id":0,"result":1}\')', "answered 0, not request 1"),
    "answers a request that is no number": (CHANNEL + 'say(\'{"id":true,"result":1}\')', "answered True"),
    "sends NaN": (CHANNEL + 'say(\'{"id":1,"result":NaN}\')', "not JSON"),
    "sends a key twice": (CHANNEL + 'say(\'{"id":1,"id":1,"result":1}\')', "a key twice"),
    "sends a list": (CHANNEL + "say('[1]')", "a JSON list"),
    "sends deep nesting": (CHANNEL + "say('[' * 100_000)", "not JSON"),
    "sends no result": (CHANNEL + "say('{\"id\":1}')", "which is no answer"),
    "sends more than an answer": (CHANNEL + 'say(\'{"id":1,"result":1,"x":1}\')', "which is no answer"),
}


@pytest.mark.parametrize("how", ENDINGS)
def test_a_broken_worker_is_a_fault_and_the_next_one_works(worker, how):
    code, words = ENDINGS[how]
    with pytest.raises(EnvironmentFault) as caught:
        run(worker, code, seconds=0.3 if "in time" in words else 20)
    assert words in str(caught.value)
    assert not worker.alive
    assert gone(worker.process)
    with pytest.raises(EnvironmentFault, match="not there any more"):
        run(worker, "result = 1")
    assert healthy()


@pytest.mark.parametrize("how", ENDINGS)
def test_a_broken_child_leaves_its_worker_and_siblings_whole(worker, how):
    code, words = ENDINGS[how]
    with worker.child() as sibling:
        child = worker.child()
        with pytest.raises(EnvironmentFault):
            run(child, code, seconds=0.3 if "in time" in words else 20)
        assert not child.alive
        assert [run(sibling, "result = 1"), run(worker, "result = 2")] == [1, 2]


def test_an_answer_sent_twice_spoils_the_next_call(worker):
    assert run(worker, CHANNEL + 'say(\'{"id":1,"result":"forged"}\')') == "forged"  # its own words, after all
    with pytest.raises(EnvironmentFault, match="answered 1, not request 2"):
        run(worker, "result = 1")


def test_a_worker_killed_from_outside_is_noticed_at_the_next_call(worker):
    os.kill(worker.process, signal.SIGKILL)
    with pytest.raises(EnvironmentFault, match="killed by SIGKILL"):
        run(worker, "result = 1")
    assert healthy()


def test_a_worker_that_reads_nothing_does_not_hold_up_who_sends(worker):
    held = "import threading, time\nresult = 1\nthreading.Event().wait()"
    with pytest.raises(EnvironmentFault, match="in time"):
        run(worker, held, blob=b"x" * 2**22, seconds=0.3)
    with Worker(RUNNER) as other:
        os.kill(other.process, signal.SIGSTOP)
        with pytest.raises(EnvironmentFault, match="in time"):
            other.call("echo", {}, b"x" * 2**22, seconds=0.3)


def test_a_worker_s_end_is_its_children_s(worker):
    child = worker.child()
    process = run(child, "import os\nresult = os.getpid()")
    worker.close()
    assert gone(process)
    with pytest.raises(EnvironmentFault, match="has ended"):
        run(child, "result = 1")
    child.close()


def test_a_hung_child_is_killed_alone(worker):
    child = worker.child()
    process = run(child, "import os\nresult = os.getpid()")
    with pytest.raises(EnvironmentFault, match="in time"):
        run(child, "while True: pass", seconds=0.2)
    assert gone(process)
    assert run(worker, "result = 1") == 1


def test_a_zygote_s_end_is_its_workers_and_the_next_worker_has_a_new_one(worker):
    host = zygote(())
    with worker.child() as child:
        process = run(child, "import os\nresult = os.getpid()")
        os.kill(host.process, signal.SIGKILL)
        assert gone(worker.process)
        assert gone(process)
    with pytest.raises(EnvironmentFault):
        run(worker, "result = 1")
    assert healthy()
    assert zygote(()) is not host


def test_when_the_trainer_dies_everything_it_started_dies_even_what_hangs():
    folders = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]
    script = (
        f"import os, signal, sys, threading; sys.path[:0] = {folders!r}\n"
        "from awm_gym.sandbox.worker import Worker\n"
        f"worker = Worker({RUNNER!r}, children=True)\n"
        "child = worker.child()\n"
        "hang = {'code': 'import os\\nprint(os.getpid())\\nwhile True: pass'}\n"
        "for process in (worker, child):\n"
        "    threading.Thread(target=process.call, args=('run', hang), daemon=True).start()\n"
        "while not (worker.printed and child.printed): pass\n"
        "print(worker._zygote.process, worker.printed, child.printed, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    started = [int(word) for word in done.stdout.split()]
    assert len(started) == 3, done.stderr
    assert all(gone(process) for process in started)


def test_a_template_cannot_point_at_a_process_that_is_not_its_own(worker, monkeypatch):
    """What a child says of itself counts for nothing; the kernel says who it is."""
    own = os.getpid()
    monkeypatch.setattr(workers.Worker, "_meet", lambda self, line, seconds: Invited(line, own, {}))
    with pytest.raises(EnvironmentFault, match="outside the worker's group"):
        worker.child()


def test_a_child_that_has_ended_at_once_is_a_fault(worker, monkeypatch):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    monkeypatch.setattr(workers.Worker, "_meet", lambda self, line, seconds: Invited(line, ended.pid, {}))
    with pytest.raises(EnvironmentFault, match="outside the worker's group"):
        worker.child()


def test_a_template_that_cannot_fork_any_more_says_so(worker):
    run(worker, "import os\ndef no(): raise BlockingIOError(11, 'no more processes')\nos.fork = no")
    with pytest.raises(EnvironmentFault, match="the worker cannot: BlockingIOError"):
        worker.child()
    assert run(worker, "result = 1") == 1


def test_a_child_that_does_not_start_says_why(worker):
    run(worker, "import awm_gym.sandbox.serve as serve\ndef no(*_): raise ValueError('spoilt')\nserve.die_with = no")
    with pytest.raises(EnvironmentFault, match=r"before it was ready; it printed: (?s:.*)ValueError: spoilt"):
        worker.child()


def test_a_child_whose_first_word_is_wrong_is_a_fault(worker):
    run(worker, "import awm_gym.sandbox.serve as s\ns.Channel.ready = lambda self, report: self.answer({'id': 0}, 1)")
    with pytest.raises(EnvironmentFault, match="not that it is ready"):
        worker.child()


def test_a_worker_that_was_not_told_so_does_not_fork():
    with Worker(RUNNER) as alone, pytest.raises(UsageError, match="children=True"):
        alone.child()


def test_a_program_that_cannot_be_made_says_why():
    with Worker("sandbox_programs:broken") as started, pytest.raises(EnvironmentFault, match="this program is broken"):
        started.call("echo")


@pytest.mark.parametrize("name", ["sandbox_programs:nothing", "no_such_module:program"])
def test_a_program_that_is_not_there_is_named_and_the_zygote_lives(name):
    host = zygote(())
    with pytest.raises(EnvironmentFault, match=name.partition(":")[0]):
        Worker(name)
    assert zygote(()) is host


def test_a_module_that_cannot_be_preloaded_is_named():
    with pytest.raises(EnvironmentFault, match="no_such_module"):
        Worker(RUNNER, preload=("no_such_module",))


def test_preloaded_modules_are_there():
    with Worker(RUNNER, preload=("colorsys",)) as started:
        assert run(started, "import colorsys\nresult = colorsys.rgb_to_hsv(1, 0, 0)") == [0.0, 1.0, 1]
        with pytest.raises(EnvironmentFault, match="ModuleNotFoundError"):
            run(started, "import antigravity")


@pytest.mark.parametrize(
    ("params", "blob"), [({"a": float("nan")}, b""), ({"a": {1, 2}}, b""), ({"a": "\ud800"}, b""), ({}, b"x" * 2**23)]
)
def test_what_cannot_be_sent_is_the_caller_s_mistake_and_costs_nothing(worker, params, blob):
    with pytest.raises(UsageError, match="the request is"):
        worker.call("echo", params, blob)
    assert run(worker, "result = 1") == 1


def test_one_call_at_a_time(worker):
    first = threading.Thread(target=lambda: run(worker, "import time\ntime.sleep(0.3)\nresult = 1"))
    first.start()
    while not worker._turn.locked():
        pass
    with pytest.raises(UsageError, match="under way"):
        run(worker, "result = 1")
    first.join()
    assert run(worker, "result = 1") == 1


def test_an_interrupted_call_ends_the_worker(worker, monkeypatch):
    def interrupted(end):
        raise KeyboardInterrupt

    monkeypatch.setattr(worker, "_answer", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(worker, "result = 1")
    assert not worker.alive


def test_a_fork_of_the_trainer_neither_uses_nor_ends_its_workers(worker, monkeypatch):
    host = zygote(())
    inherited = Worker(RUNNER)
    with worker.child() as child, monkeypatch.context() as patch:
        own = os.getpid()
        patch.setattr(os, "getpid", lambda: own + 1)
        with pytest.raises(UsageError, match="belongs to the process that started it"):
            run(worker, "result = 1")
        host.close()
        zygotes.close_all()
        inherited.close()
        assert child.alive
    assert run(worker, "result = 1") == 1
    assert zygote(()) is host
    assert host.reap(inherited.process) == 0  # not killed: nobody spoke to it any more


def test_closing_twice_is_harmless(worker):
    worker.close()
    worker.close()
    host = Zygote()
    host.close()
    host.close()
    assert host.reap(worker.process) is None


def test_a_forgotten_worker_is_ended():
    forgotten = Worker(RUNNER)
    process = forgotten.process
    run(forgotten, "result = 1")
    del forgotten
    gc.collect()
    host = zygote(())
    assert host.reap(process) == -signal.SIGKILL


def test_all_zygotes_are_closed_together():
    host = zygote(())
    zygotes.close_all()
    assert not host.alive
    assert healthy()


def test_too_little_protection_is_refused_with_reason_and_remedy(monkeypatch):
    monkeypatch.delenv(UNSANDBOXED, raising=False)
    with pytest.raises(SandboxUnavailable, match=r"seccomp: not asked for.*allow_unsandboxed=True"):
        Worker(RUNNER, layers=("rlimits",))
    with pytest.raises(SandboxUnavailable, match="partial=True accepts"):
        Worker(RUNNER, layers=("rlimits", "landlock"))
    monkeypatch.setenv(UNSANDBOXED, "1")
    with Worker(RUNNER, layers=()) as free:
        assert free.protection.level == 0


def test_little_protection_that_was_accepted_is_warned_of_once(monkeypatch):
    monkeypatch.setattr(protection, "_warned", set())
    with pytest.warns(
        WeakSandboxWarning, match=r"level 0 \(none\)\. seccomp: not asked for.*all that this user may do"
    ):
        Worker(RUNNER, layers=(), allow_unsandboxed=True).close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Worker(RUNNER, layers=(), allow_unsandboxed=True).close()
        Worker(RUNNER).close()


def test_a_warning_that_is_an_error_leaves_no_worker(monkeypatch):
    trial(())
    monkeypatch.setattr(protection, "_warned", set())
    ended = []
    monkeypatch.setattr(Worker, "close", lambda self: ended.append(self._end("refused")))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(WeakSandboxWarning):
            Worker(RUNNER, layers=(), allow_unsandboxed=True)
    assert ended == [-signal.SIGKILL]


def test_a_layer_that_is_void_is_found_by_the_self_test(monkeypatch):
    held = Protection(*[Layer(True, "it says")] * 3)
    monkeypatch.setitem(workers._trials, ("seccomp",), Trial(held, ("opening a socket",)))
    with pytest.raises(SandboxUnavailable, match="nothing stopped opening a socket"):
        Worker(RUNNER, layers=("seccomp",))
    with Worker(RUNNER, layers=("seccomp",), allow_unsandboxed=True) as free:
        assert run(free, "result = 1") == 1


def test_elsewhere_than_on_linux_it_is_refused(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SandboxUnavailable, match="Linux"):
        Worker(RUNNER)


def test_a_zygote_finds_the_libraries_of_its_interpreter(monkeypatch):
    monkeypatch.setenv("LD_LIBRARY_PATH", "/nowhere")
    monkeypatch.setenv("API_KEY", "planted")
    host = Zygote()
    with open(f"/proc/{host.process}/environ", "rb") as environment:
        found = environment.read()
    host.close()
    assert b"LD_LIBRARY_PATH=/nowhere" in found
    assert b"planted" not in found


ORDINARY = """
import asyncio, sqlite3, threading, time

async def main():
    await asyncio.sleep(0.001)
    return await asyncio.to_thread(lambda: 5)

memory = sqlite3.connect("file:/ordinary?vfs=memdb", uri=True)
memory.execute("CREATE TABLE IF NOT EXISTS t (a)")
memory.execute("INSERT INTO t VALUES (1)")
memory.commit()
copy = sqlite3.connect(":memory:")
copy.deserialize(memory.serialize())
time.sleep(0.001)
result = [asyncio.run(main()), copy.execute("SELECT a FROM t").fetchall(), time.localtime().tm_zone]
"""


def test_ordinary_code_works_behind_bars():
    wanted = ("asyncio", "concurrent.futures.thread", "sqlite3")
    with Worker(RUNNER, wanted, children=True) as worker, worker.child() as child:
        assert run(worker, ORDINARY) == [5, [[1]], "UTC"]
        assert run(child, ORDINARY) == [5, [[1]], "UTC"]


def test_if_memory_gets_short_the_kernel_takes_workers_first(worker):
    with worker.child() as child:
        process = run(child, "import os\nresult = os.getpid()")
        assert Path(f"/proc/{worker.process}/oom_score_adj").read_text("utf-8").strip() == "1000"
        assert Path(f"/proc/{process}/oom_score_adj").read_text("utf-8").strip() == "1000"


def test_nothing_printed_need_be_kept():
    with Worker(RUNNER, limits=Limits(output=0)) as silent:
        run(silent, "print('x')")
        run(silent, "")
        assert silent.printed == ""


def test_sixty_four_children_live_at_once(worker):
    children = [worker.child() for _ in range(64)]
    assert [run(child, f"result = {number}") for number, child in enumerate(children)] == list(range(64))
    for child in children:
        child.close()
