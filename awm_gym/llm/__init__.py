"""Asking a language model: any OpenAI-compatible server, answers of a type, nothing paid for twice.

Answers are kept on disk by the content of the request, so that a run which was interrupted, or is repeated, goes on
where it was. Servers differ in what they take; what one refuses is not asked of it again.

    settings   which model, where, and how much it may cost
    messages   a question, and what was said to it
    ledger     prices, what was spent, the log
    manners    what a server refuses, learnt from its complaints
    replies    what servers send
    server     one connection, with patience
    answers    what was said, kept on disk
    reading    the value in what a model said
    client     questions, asked concurrently; `Model` is the same for threads
"""

from awm_gym.errors import BudgetSpent, ModelError, Unreadable
from awm_gym.llm.client import Client, Model
from awm_gym.llm.ledger import Ledger, Log, Price, Prices, Spent, Usage
from awm_gym.llm.messages import Call, Message, Request, Said
from awm_gym.llm.settings import Settings, stage_models

__all__ = [
    "BudgetSpent",
    "Call",
    "Client",
    "Ledger",
    "Log",
    "Message",
    "Model",
    "ModelError",
    "Price",
    "Prices",
    "Request",
    "Said",
    "Settings",
    "Spent",
    "Unreadable",
    "Usage",
    "stage_models",
]
