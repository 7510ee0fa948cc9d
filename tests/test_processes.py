"""Processes that work for this one."""

import signal
import subprocess
import sys
import time
from multiprocessing import active_children

import pytest

from awm_gym.processes import each, pool

PARENT = """
import os, time
from awm_gym.processes import pool
if __name__ == "__main__":
    workers = pool(2)
    print(workers.submit(os.getpid).result(), flush=True)
    time.sleep(60)
"""

EACH = """
from awm_gym.processes import each
if __name__ == "__main__":
    print(sorted(each(abs, [-1, -2, -3], 2)))
"""


def alive(number):
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(number)], capture_output=True, text=True).stdout.strip()
    return state != "" and not state.startswith("Z")  # one that ended and was not yet collected is no longer alive


def test_a_worker_does_what_it_is_given():
    with pool(1) as workers:
        assert workers.submit(abs, -3).result() == 3


def test_workers_end_with_a_parent_that_is_killed(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    worker = int(parent.stdout.readline())
    assert alive(worker)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    for _ in range(600):
        if not alive(worker):
            return
        time.sleep(0.01)
    raise AssertionError(f"the worker {worker} outlives its parent")


def _slowly(number):
    time.sleep(60 if number else 0)
    return number


def test_results_come_as_they_are_done_and_whoever_stops_asking_stops_the_work():
    before = set(active_children())
    found = each(_slowly, [1, 0], 2)
    assert next(found) == 0
    found.close()
    for process in set(active_children()) - before:
        process.join(timeout=30)
    assert set(active_children()) <= before


def test_what_is_little_is_done_here():
    assert list(each(abs, [-1], 8)) == [1]
    assert list(each(abs, [-1, -2], 1)) == [1, 2]
    assert sorted(each(abs, [-1, -2, -3], 2)) == [1, 2, 3]


def test_what_raises_ends_the_work():
    with pytest.raises(TypeError):
        list(each(abs, ["x", -1], 2))


def test_nothing_is_said_at_the_end(tmp_path):
    script = tmp_path / "each.py"
    script.write_text(EACH)
    for _ in range(3):
        ended = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "[1, 2, 3]\n", "")
