"""Python that goes into generated programs as text, so it does without this package, and has names of its own."""
