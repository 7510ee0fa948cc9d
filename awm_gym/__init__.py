"""Tool-use environments over synthesized, database-backed applications.

>>> import gymnasium as gym, awm_gym
>>> env = gym.make("awm/parcel_lockers", task="hand_out_parcel")
"""

from awm_gym.env import ToolEnv
from awm_gym.errors import AwmError, EnvironmentFault, ScenarioError, UsageError
from awm_gym.files import load, save
from awm_gym.library import register
from awm_gym.scenario import Scenario, ToolCall
from awm_gym.verify import Verdict, verify
from awm_gym.world import ToolResult, World

__version__ = "0.1.0"
__all__ = [
    "AwmError",
    "EnvironmentFault",
    "Scenario",
    "ScenarioError",
    "ToolCall",
    "ToolEnv",
    "ToolResult",
    "UsageError",
    "Verdict",
    "World",
    "load",
    "save",
    "verify",
]

register()
