"""Certificates: what the gates found in one exact scenario, as a value and as the text of certificate.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from awm_gym.errors import UsageError

VERSION = 1  # of the gates: certificates of another version are stale


@dataclass(frozen=True)
class Certificate:
    """What the gates found in one exact scenario.

    Attributes:
        scenario: its name.
        fingerprint: of its content.
        files: SHA-256 over its files in their canonical form: files of other bytes are not what was proved.
        gates: the version of the gates.
        findings: gate -> what it found; empty if it passed.
        figures: what was counted.
    """

    scenario: str
    fingerprint: str
    files: str
    gates: int
    findings: Mapping[str, tuple[str, ...]]
    figures: Mapping[str, Any]

    @property
    def passed(self) -> bool:
        """Whether no gate found anything."""
        return not any(self.findings.values())

    def to_json(self) -> str:
        """The text of certificate.json: the same scenario, the same bytes."""
        document = {
            "scenario": self.scenario,
            "fingerprint": self.fingerprint,
            "files": self.files,
            "gates": self.gates,
            "findings": {gate: list(found) for gate, found in self.findings.items()},
            "figures": self.figures,
        }
        return json.dumps(document, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Certificate:
        """Read the text of certificate.json.

        Raises:
            UsageError: it is no certificate.
        """
        try:
            document = json.loads(text)
            findings = {gate: tuple(found) for gate, found in document.pop("findings").items()}
            return cls(findings=findings, **document)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UsageError(f"That is no certificate ({error}).") from error
