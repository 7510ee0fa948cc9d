# Whoever leaves the group is missed when the group is killed.
import os

os.setpgid(0, os.getppid())
escaped = True
