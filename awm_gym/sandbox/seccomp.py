"""The filter of system calls: what a worker may ask of the kernel, and with which arguments.

The filter is a program for the kernel's packet-filter machine. It sees numbers and arguments but follows no pointer, so
whole families of calls go: everything that takes a path, makes a socket, starts a program, signals a process, maps
executable memory. Calls with a path answer ENOENT, as if the disk were empty; others EPERM, so that code meets an
exception and goes on. Only the wrong calling convention kills.
"""

from __future__ import annotations

import ctypes
import errno
import struct
from collections.abc import Iterable
from typing import NamedTuple

from awm_gym.sandbox.syscalls import PR_SET_NAME, PR_SET_PDEATHSIG, Machine, machine, syscall


class Instruction(NamedTuple):
    """One instruction of the filter: code, how many to skip if true and if false, and a constant."""

    code: int
    if_true: int
    if_false: int
    constant: int


Program = list[Instruction]
ALLOW, KILL = 0x7FFF_0000, 0x8000_0000
DENY = 0x0005_0000 | errno.EPERM
NO_FILE = 0x0005_0000 | errno.ENOENT
NO_TERMINAL = 0x0005_0000 | errno.ENOTTY
NO_CALL = 0x0005_0000 | errno.ENOSYS
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_INSTRUCTION_BYTES = 8
_NUMBER, _CONVENTION = 0, 4  # offsets in what the kernel shows the filter
_SET_FILTER, _ALL_THREADS = 1, 1
_SIGKILL = 9

HARMLESS = """
read write futex clock_gettime recvfrom epoll_wait epoll_pwait poll ppoll munmap brk madvise mremap
close lseek pread64 pwrite64 readv writev select pselect6 epoll_create1 epoll_ctl eventfd2 pipe2 dup dup3 fstat
rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack sched_yield nanosleep clock_nanosleep clock_getres gettimeofday
time times getpid gettid getppid getuid geteuid getgid getegid uname getrusage getrlimit sysinfo sched_getaffinity
set_robust_list set_tid_address rseq membarrier getrandom restart_syscall exit exit_group shutdown getsockname
getpeername getsockopt
""".split()
PATHS = """
open openat openat2 creat stat lstat newfstatat statx access faccessat faccessat2 readlink readlinkat unlink unlinkat
getcwd chdir mkdir mkdirat rename renameat renameat2 rmdir getdents64
""".split()
_NEW_NAMESPACES = 0x7E02_0000
_THREAD = 0x0001_0000
_FORKS = (0x0120_0011, 0x11)  # the flags of fork() in glibc and in musl
_EXECUTABLE = 4
_SOCKET_KIND, _UNIX, _STREAM = 0xF, 1, 1
_IOCTLS = (0x5401, 0x5421, 0x5450, 0x5451)  # is it a terminal; blocking; close on exec
_FCNTLS = (0, 1, 2, 3, 4, 1030)  # duplicate; flags of descriptors and files


def filter_for(known: Machine, *, children: bool) -> Program:
    """The filter of a worker.

    Args:
        known: the machine.
        children: the worker may fork, receive descriptors and lock its children further.
    """
    checks = {
        "clone": _clone(children=children),
        "clone3": [_return(NO_CALL)],  # its flags lie behind a pointer; the C library then falls back to clone
        "mmap": _without_bits(2, _EXECUTABLE),
        "mprotect": _without_bits(2, _EXECUTABLE),
        "ioctl": _one_of(1, _IOCTLS, NO_TERMINAL),
        "fcntl": _one_of(1, _FCNTLS, DENY),
        "prlimit64": _null(2),
        "prctl": _prctl(children=children),
        "socketpair": [*_one_of(0, [_UNIX], DENY)[:-1], *_stream()],
        "sendto": _null(4),  # an address would reach any datagram socket that has a name
    }
    if children:
        checks |= {"recvmsg": [_return(ALLOW)], "seccomp": [_return(ALLOW)]}
    program = _preamble(known)
    for name in HARMLESS:
        program += _when(known, name, [_return(ALLOW)])
    for name, body in checks.items():
        program += _when(known, name, body)
    for name in PATHS:
        program += _when(known, name, [_return(NO_FILE)])
    return [*program, _return(DENY)]


def filter_of_child(known: Machine) -> Program:
    """What a child adds to the filter of its worker: no fork, no descriptors, no further filters."""
    program = _preamble(known) + _when(known, "clone", _clone(children=False))
    for name in ("recvmsg", "seccomp"):
        program += _when(known, name, [_return(DENY)])
    return [*program, _return(ALLOW)]


def pack(program: Program) -> bytes:
    """A filter as the kernel wants it."""
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def install(packed: bytes) -> None:
    """Put a filter in force for all threads of this process, for ever. Needs `no_new_privs`.

    Raises:
        OSError: the kernel has no seccomp, or refuses.
    """
    kept = ctypes.create_string_buffer(packed)
    header = struct.pack("@HP", len(packed) // _INSTRUCTION_BYTES, ctypes.addressof(kept))
    if syscall(machine().calls["seccomp"], _SET_FILTER, _ALL_THREADS, header) != 0:
        raise OSError(errno.EBUSY, "a thread cannot take the filter")


def _return(verdict: int) -> Instruction:
    return Instruction(_RETURN, 0, 0, verdict)


def _load(offset: int) -> Instruction:
    return Instruction(_LOAD, 0, 0, offset)


def _argument(place: int, *, high: bool = False) -> Instruction:
    return _load(16 + 8 * place + 4 * high)


def _preamble(known: Machine) -> Program:
    """Kill foreign calling conventions, and leave the number of the call loaded."""
    program = [_load(_CONVENTION), Instruction(_EQUAL, 1, 0, known.audit), _return(KILL), _load(_NUMBER)]
    if known.foreign is not None:
        program += [Instruction(_AT_LEAST, 0, 1, known.foreign), _return(KILL)]
    return program


def _when(known: Machine, name: str, body: Program) -> Program:
    """A body for one call; nothing on machines that do not have it. The body ends in a verdict on every path."""
    if name not in known.calls:
        return []
    return [Instruction(_EQUAL, 0, len(body), known.calls[name]), *body]


def _one_of(place: int, values: Iterable[int], otherwise: int) -> Program:
    values = tuple(values)
    tests = [Instruction(_EQUAL, len(values) - at, 0, value) for at, value in enumerate(values)]
    return [_argument(place), *tests, _return(otherwise), _return(ALLOW)]


def _without_bits(place: int, bits: int) -> Program:
    return [_argument(place), Instruction(_ANY_BIT, 0, 1, bits), _return(DENY), _return(ALLOW)]


def _null(place: int) -> Program:
    low, high = _argument(place), _argument(place, high=True)
    return [low, Instruction(_EQUAL, 0, 2, 0), high, Instruction(_EQUAL, 1, 0, 0), _return(DENY), _return(ALLOW)]


def _stream() -> Program:
    """Stream sockets only: datagrams can be addressed."""
    kind = [_argument(1), Instruction(_AND, 0, 0, _SOCKET_KIND)]
    return [*kind, Instruction(_EQUAL, 1, 0, _STREAM), _return(DENY), _return(ALLOW)]


def _clone(*, children: bool) -> Program:
    """Threads always, forks if there may be children, namespaces never."""
    flags = [_argument(0), Instruction(_ANY_BIT, 0, 1, _NEW_NAMESPACES), _return(DENY)]
    threads = [Instruction(_ANY_BIT, 0, 1, _THREAD), _return(ALLOW)]
    return flags + threads + (_one_of(0, _FORKS, DENY) if children else [_return(DENY)])


def _prctl(*, children: bool) -> Program:
    """The name of a thread; and, for a child, to die with its parent, which nothing can take back."""
    name = [_argument(0), Instruction(_EQUAL, 0, 1, PR_SET_NAME), _return(ALLOW)]
    if not children:
        return [*name, _return(DENY)]
    return [*name, Instruction(_EQUAL, 1, 0, PR_SET_PDEATHSIG), _return(DENY), *_one_of(1, [_SIGKILL], DENY)]
