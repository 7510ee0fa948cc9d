"""The attack matrix: what text that nobody trusts tries, and that it fails; and that without the sandbox it works."""

import json
import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from awm_gym.sandbox import selftest
from awm_gym.sandbox.lockdown import Limits
from awm_gym.sandbox.protection import LAYERS
from awm_gym.sandbox.worker import Worker, trial

if sys.platform != "linux":
    pytest.skip("generated Python runs on Linux only", allow_module_level=True)
pytestmark = pytest.mark.filterwarnings("ignore::awm_gym.sandbox.protection.WeakSandboxWarning")

ATTACKS = {path.stem: path.read_text("utf-8") for path in sorted((Path(__file__).parent / "attacks").glob("*.py"))}
RUNNER = "sandbox_programs:runner"
SMALL = Limits(memory=400 * 2**20, tasks=60)
LANDLOCK_HOLDS = {"read_file", "write_file", "list_folder", "fill_disk", "connect_tcp", "run_program", "read_memory"}
DEPENDS = {"become_root", "namespace", "ring", "trace"}  # need root, or a kernel that offers them
SECCOMP_LACKS = {"exhaust_memory", "start_threads"}  # what only rlimits bound


@pytest.fixture(scope="module")
def _protected():
    """Everything here needs the layers of this kernel; where they lack, say so."""
    if trial().protection.level < 2:
        pytest.skip(f"this kernel locks nothing up: {trial().protection.to_json()}")


@pytest.fixture
def victim():
    """A process of this user, with a secret in its environment."""
    command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env={"API_KEY": "planted"}) as process:
        yield process
        process.kill()


@pytest.fixture
def world(tmp_path, victim):
    """What there is to reach: files, ports, sockets with names, processes. Even for a user without rights."""
    tmp_path.chmod(0o777)
    secret = tmp_path / "secret"
    secret.write_text("planted", "utf-8")
    with ExitStack() as stack:

        def bound(family, kind, name):
            made = stack.enter_context(socket.socket(family, kind))
            made.bind(name)
            if kind == socket.SOCK_STREAM:
                made.listen()
            return made.getsockname()

        (tmp_path / "s").mkdir()
        abstract = f"awm_gym_{os.getpid()}"
        bound(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + abstract)
        yield {
            "folder": str(tmp_path),
            "secret": str(secret),
            "port": bound(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0))[1],
            "unix": bound(socket.AF_UNIX, socket.SOCK_STREAM, str(tmp_path / "s" / "unix")),
            "datagram": bound(socket.AF_UNIX, socket.SOCK_DGRAM, str(tmp_path / "s" / "datagram")),
            "abstract": abstract,
            "victim": victim.pid,
            "trainer": os.getpid(),
            "forks": 2,
            "threads": 80,
            "mib": 512,
        }


def attack(name, world, **options):
    with Worker(RUNNER, limits=SMALL, **options) as worker:
        return worker.call("attack", {"code": ATTACKS[name], "args": world}).result


@pytest.mark.usefixtures("_protected")
@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_fails(name, world, victim):
    assert not attack(name, world)["escaped"]
    assert victim.poll() is None


@pytest.mark.usefixtures("_protected")
@pytest.mark.parametrize("name", sorted(set(ATTACKS) - {"fork"}))
def test_an_attack_fails_in_a_worker_that_may_fork_and_in_its_child(name, world, victim):
    with Worker(RUNNER, limits=SMALL, children=True) as worker, worker.child() as child:
        assert not child.call("attack", {"code": ATTACKS[name], "args": world}).result["escaped"]
        assert not worker.call("attack", {"code": ATTACKS[name], "args": world}).result["escaped"]
    assert victim.poll() is None


@pytest.mark.usefixtures("_protected")
def test_a_child_cannot_fork(world):
    with Worker(RUNNER, children=True) as worker, worker.child() as child:
        assert "not permitted" in child.call("attack", {"code": ATTACKS["fork"], "args": world}).result["why"]


@pytest.mark.usefixtures("_protected")
@pytest.mark.parametrize("name", sorted(set(ATTACKS) - SECCOMP_LACKS))
def test_an_attack_fails_without_landlock(name, world):
    assert not attack(name, world, layers=("seccomp", "rlimits"))["escaped"]


@pytest.mark.parametrize("name", sorted(LANDLOCK_HOLDS))
def test_landlock_alone_stops_what_has_a_path_or_a_port(name, world):
    found = trial(("landlock", "rlimits")).protection
    if found.level < 1:
        pytest.skip(f"this kernel has no Landlock: {found.landlock.detail}")
    assert not attack(name, world, layers=("landlock", "rlimits"), partial=True)["escaped"]


@pytest.mark.parametrize("name", ATTACKS)
def test_without_the_sandbox_the_attack_works(name, world):
    """The control: it is the sandbox that stops it, and not a mistake in the attack."""
    found = attack(name, world, layers=(), allow_unsandboxed=True)
    if name in DEPENDS and not found["escaped"]:
        pytest.skip(f"this machine does not allow it to anybody: {found['why']}")
    assert found["escaped"], found["why"]


@pytest.mark.usefixtures("_protected")
def test_a_fork_bomb_is_bounded_and_dies_with_its_worker(world):
    many = world | {"forks": 500}
    with Worker(RUNNER, limits=SMALL, children=True) as worker:
        found = worker.call("attack", {"code": ATTACKS["fork"], "args": many}).result
        group = worker.process
    assert not found["escaped"]
    assert "unavailable" in found["why"]
    with pytest.raises(ProcessLookupError):
        os.killpg(group, 0)


@pytest.mark.usefixtures("_protected")
def test_as_an_ordinary_user_the_attacks_fail_too(world, tmp_path):
    """The interpreter may lie where that user cannot read, so it keeps the right to read."""
    if os.getuid() != 0:
        pytest.skip("the tests run as an ordinary user already")
    tests = Path(__file__).parent
    script = (
        f"import sys; sys.path[:0] = {[str(tests), str(tests.parent)]!r}\n"
        "import json, pathlib\n"
        "from awm_gym.sandbox.lockdown import Limits\n"
        "from awm_gym.sandbox.worker import Worker\n"
        "world = json.load(sys.stdin)\n"
        "for path in sorted(pathlib.Path(sys.argv[1]).glob('*.py')):\n"
        "    forks = path.stem == 'fork'\n"
        f"    limits = Limits(memory={SMALL.memory}, tasks={SMALL.tasks})\n"
        f"    with Worker({RUNNER!r}, limits=limits, children=forks) as worker:\n"
        "        found = worker.call('attack', {'code': path.read_text('utf-8'), 'args': world}).result\n"
        "        print(json.dumps([path.stem, found, worker.protection.to_json()]))\n"
    )
    become = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    keep = ["--inh-caps", "-all,+dac_read_search", "--ambient-caps", "-all,+dac_read_search"]
    command = [*become, *keep, sys.executable, "-c", script, str(tests / "attacks")]
    try:
        done = subprocess.run(
            command, input=json.dumps(world | {"forks": 500}), capture_output=True, text=True, cwd=tmp_path
        )
    except FileNotFoundError:
        pytest.skip("setpriv is not installed")
    if "setpriv:" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [name for name, *_ in found] == list(ATTACKS)
    assert [name for name, outcome, _ in found if outcome["escaped"]] == []
    outcomes = {name: outcome for name, outcome, _ in found}
    assert "unavailable" in outcomes["fork"]["why"]
    assert all("user 65534" in protection["rlimits"] and protection["level"] >= 2 for *_, protection in found)


REFUSED_CALLS = """
creat 85 link 86 rename 82 mkdir 83 unlink 87 symlink 88 chmod 90 fchmod 91 chown 92 mknod 133 chroot 161 mount 165
pivot_root 155 chdir 80 name_to_handle_at 303 open_by_handle_at 304 openat2 437 quotactl 179 swapon 167
execve 59 execveat 322 fork 57 vfork 58 clone3 435 kill 62 tkill 200 tgkill 234 rt_sigqueueinfo 129 pidfd_open 434
pidfd_send_signal 424 pidfd_getfd 438 ptrace 101 process_vm_readv 310 process_vm_writev 311 kcmp 312 process_madvise 440
socket 41 connect 42 bind 49 listen 50 accept 43 accept4 288 sendmsg 46 recvmsg 47 sendmmsg 307 recvmmsg 299
setsockopt 54 io_uring_setup 425 io_uring_enter 426 bpf 321 perf_event_open 298 userfaultfd 323 memfd_create 319
memfd_secret 447 keyctl 250 add_key 248 request_key 249 unshare 272 setns 308 seccomp 317 personality 135
setrlimit 160 sched_setaffinity 203 sched_setscheduler 144 setpriority 141 setuid 105 setgid 106 setgroups 116
capset 126 reboot 169 init_module 175 finit_module 313 delete_module 176 kexec_load 246 syslog 103 acct 163
sethostname 170 settimeofday 164 clock_settime 227 adjtimex 159 shmget 29 shmat 30 msgget 68 semget 64 mq_open 240
inotify_init 253 fanotify_init 300 timer_create 222 setitimer 38 alarm 37 vmsplice 278 splice 275 tee 276 sendfile 40
copy_file_range 326 landlock_create_ruleset 444 setpgid 109 setsid 112 vhangup 153 iopl 172 ioperm 173 modify_ldt 154
remap_file_pages 216 pkey_mprotect 329 pkey_alloc 330 mlock 149 mlockall 151 set_mempolicy 238 lookup_dcookie 212
fsopen 430 move_mount 429 open_tree 428 mount_setattr 442 ioprio_set 251 utime 132 utimensat 280 truncate 76
ftruncate 77 getdents64 217 wait4 61 waitid 247 arch_prctl 158 nosuchcall 600
""".split()


@pytest.mark.usefixtures("_protected")
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers are those of x86_64")
def test_every_other_system_call_is_refused_by_number():
    code = (
        "import ctypes\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "room = ctypes.create_string_buffer(4096)\n"
        "result = {}\n"
        "for name, number in ARGS['calls']:\n"
        "    answer = libc.syscall(ctypes.c_long(number), room, room, room, ctypes.c_long(0), ctypes.c_long(0))\n"
        "    result[name] = 0 if answer >= 0 else ctypes.get_errno()\n"
    )
    calls = [(name, int(number)) for name, number in zip(REFUSED_CALLS[::2], REFUSED_CALLS[1::2], strict=True)]
    with Worker(RUNNER) as worker:
        found = worker.call("run", {"code": code, "args": {"calls": calls}}).result
    refused = {1, 2, 38}  # EPERM, ENOENT, ENOSYS
    assert {name: error for name, error in found.items() if error not in refused} == {}
    assert len(found) == len(calls)


@pytest.mark.parametrize("name", sorted(set(selftest.ATTEMPTS) - {selftest.FORK}))
def test_the_self_test_finds_what_nothing_stops(name):
    assert trial(()).protection.level == 0
    with Worker(selftest.PROGRAM, layers=(), allow_unsandboxed=True) as worker:
        assert name in worker.call("attempts").result


@pytest.mark.usefixtures("_protected")
def test_all_that_the_self_test_tries_is_stopped():
    assert trial(LAYERS).holes == ()
