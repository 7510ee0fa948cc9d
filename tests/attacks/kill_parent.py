import os

os.kill(os.getppid(), 0)  # 0 asks only whether one might
escaped = True
