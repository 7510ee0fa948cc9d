"""System calls by number, made through ctypes: what seccomp and Landlock need and the standard library lacks."""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import platform
import struct
from collections.abc import Mapping
from typing import NamedTuple

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
LANDLOCK_CREATE_RULESET = 444  # one number on all machines
LANDLOCK_RESTRICT_SELF = 446


class Machine(NamedTuple):
    """What differs between processors.

    Attributes:
        audit: the number by which the kernel tells a filter which calling convention was used.
        foreign: numbers from here on belong to another convention that says it is this one; None if there is none.
        calls: number of each system call, by name.
    """

    audit: int
    foreign: int | None
    calls: Mapping[str, int]


_X86_64 = """
read 0 write 1 open 2 close 3 stat 4 fstat 5 lstat 6 poll 7 lseek 8 mmap 9 mprotect 10 munmap 11 brk 12
rt_sigaction 13 rt_sigprocmask 14 rt_sigreturn 15 ioctl 16 pread64 17 pwrite64 18 readv 19 writev 20 access 21
select 23 sched_yield 24 mremap 25 madvise 28 dup 32 nanosleep 35 getpid 39 sendto 44 recvfrom 45 recvmsg 47
shutdown 48 getsockname 51 getpeername 52 socketpair 53 getsockopt 55 clone 56 exit 60 uname 63 fcntl 72 getcwd 79
chdir 80 rename 82 mkdir 83 rmdir 84 creat 85 unlink 87 readlink 89 gettimeofday 96 getrlimit 97 getrusage 98
sysinfo 99 times 100 getuid 102 getgid 104 geteuid 107 getegid 108 getppid 110 sigaltstack 131 prctl 157 gettid 186
time 201 futex 202 sched_getaffinity 204 getdents64 217 set_tid_address 218 restart_syscall 219 clock_gettime 228
clock_getres 229 clock_nanosleep 230 exit_group 231 epoll_wait 232 epoll_ctl 233 openat 257 mkdirat 258
newfstatat 262 unlinkat 263 renameat 264 readlinkat 267 faccessat 269 pselect6 270 ppoll 271 set_robust_list 273
epoll_pwait 281 eventfd2 290 epoll_create1 291 dup3 292 pipe2 293 prlimit64 302 renameat2 316 seccomp 317
getrandom 318 membarrier 324 statx 332 rseq 334 clone3 435 openat2 437 faccessat2 439
"""
_AARCH64 = """
getcwd 17 eventfd2 19 epoll_create1 20 epoll_ctl 21 epoll_pwait 22 dup 23 dup3 24 fcntl 25 ioctl 29 mkdirat 34
unlinkat 35 renameat 38 faccessat 48 chdir 49 openat 56 close 57 pipe2 59 getdents64 61 lseek 62 read 63 write 64
readv 65 writev 66 pread64 67 pwrite64 68 pselect6 72 ppoll 73 readlinkat 78 newfstatat 79 fstat 80 exit 93
exit_group 94 set_tid_address 96 futex 98 set_robust_list 99 nanosleep 101 clock_gettime 113 clock_getres 114
clock_nanosleep 115 sched_getaffinity 123 sched_yield 124 restart_syscall 128 sigaltstack 132 rt_sigaction 134
rt_sigprocmask 135 rt_sigreturn 139 times 153 uname 160 getrlimit 163 getrusage 165 prctl 167 gettimeofday 169
getpid 172 getppid 173 getuid 174 geteuid 175 getgid 176 getegid 177 gettid 178 sysinfo 179 socketpair 199
getsockname 204 getpeername 205 sendto 206 recvfrom 207 getsockopt 209 shutdown 210 recvmsg 212 brk 214 munmap 215
mremap 216 clone 220 mmap 222 mprotect 226 madvise 233 prlimit64 261 renameat2 276 seccomp 277 getrandom 278
membarrier 283 statx 291 rseq 293 clone3 435 openat2 437 faccessat2 439
"""


def _calls(table: str) -> dict[str, int]:
    words = table.split()
    return {name: int(number) for name, number in zip(words[::2], words[1::2], strict=True)}


MACHINES = {
    "x86_64": Machine(0xC000003E, 0x4000_0000, _calls(_X86_64)),  # from there on: x32
    "aarch64": Machine(0xC00000B7, None, _calls(_AARCH64)),
}


def machine() -> Machine:
    """The machine that this process runs on.

    Raises:
        OSError: its system calls are not known here.
    """
    found = MACHINES.get(platform.machine())
    if found is None or struct.calcsize("P") != 8:
        raise OSError(errno.ENOSYS, f"the system calls of {platform.machine()} are not known to awm_gym")
    return found


def syscall(number: int, *arguments: int | bytes | None) -> int:
    """Make a system call; bytes and None are passed as pointers.

    Raises:
        OSError: the kernel refuses.
    """
    return _checked(
        _library().syscall(ctypes.c_long(number), *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])
    )


def prctl(option: int, value: int) -> int:
    """Set a property of this process.

    Raises:
        OSError: the kernel refuses.
    """
    zero = ctypes.c_ulong(0)
    return _checked(_library().prctl(ctypes.c_int(option), ctypes.c_ulong(value), zero, zero, zero))


@functools.cache
def _library() -> ctypes.CDLL:
    """The C library. Kept, for making it anew takes a forked process more memory than all calls do."""
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    return library


def _checked(answer: int) -> int:
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return answer
