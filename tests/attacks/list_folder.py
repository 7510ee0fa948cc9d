import os

escaped = len(os.listdir("/")) > 0
