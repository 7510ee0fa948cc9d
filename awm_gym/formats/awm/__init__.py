"""AgentWorldModel data: `gen_*.jsonl`, generated applications with databases, tasks and verifiers.

The data is text that a model wrote: hostile until proved otherwise. Its files are read (`index`, `records`), its
databases are built (`base`), and its Python runs only in locked workers (`host`).
"""
