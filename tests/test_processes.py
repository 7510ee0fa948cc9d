"""Processes that work for this one."""

import signal
import subprocess
import sys
import time

from awm_gym.processes import pool

PARENT = """
import os, time
from awm_gym.processes import pool
if __name__ == "__main__":
    workers = pool(2)
    print(workers.submit(os.getpid).result(), flush=True)
    time.sleep(60)
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
