# Written first, made executable afterwards.
import ctypes
import mmap
import os

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
private_anonymous = 0x22
place = libc.mmap(None, ctypes.c_size_t(mmap.PAGESIZE), 3, private_anonymous, -1, ctypes.c_long(0))
if libc.mprotect(ctypes.c_void_p(place), ctypes.c_size_t(mmap.PAGESIZE), 5) != 0:
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
escaped = True
