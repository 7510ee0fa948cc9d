"""Scenarios of other projects: how their files are read, and what they hold."""
