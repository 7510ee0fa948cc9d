import os

os.kill(-1, 0)
escaped = True
