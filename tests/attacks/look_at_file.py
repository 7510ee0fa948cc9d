# Its size, through every door: the library's, and the system calls themselves.
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
room = ctypes.create_string_buffer(512)
path = b"/etc/passwd"
doors = []
try:
    os.stat(path)
    doors.append("stat")
except OSError as error:
    why = str(error)
if libc.stat(path, room) == 0:
    doors.append("libc stat")
if libc.statx(-100, path, 0, 0xFFF, room) == 0:
    doors.append("statx")
if libc.fstatat(-100, path, room, 0x1000) == 0:
    doors.append("fstatat with AT_EMPTY_PATH")
if libc.access(path, 0) == 0:
    doors.append("access")
escaped = doors
