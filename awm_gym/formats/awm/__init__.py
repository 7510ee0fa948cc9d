"""AgentWorldModel data: `gen_*.jsonl`, generated applications with databases, tasks and verifiers.

The data is text that a model wrote: hostile until proved otherwise. Here it is read and its databases are built;
none of its Python is run.
"""
