import os

os.setuid(0)
escaped = os.getuid() == 0
