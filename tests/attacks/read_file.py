from pathlib import Path

escaped = Path("/etc/passwd").read_text("utf-8") != ""
