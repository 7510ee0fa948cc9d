import os

escaped = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 7"], {}) > 0
