"""The policy language as a JSON Schema (draft 2020-12), for editors: what a key means, which words there are.

Made from the same words that the loader accepts; ``python -m agentgate.policy.schema`` prints what is shipped
as ``schema.json``. The loader says more than a schema can (globs, places), so a file that fits may still be
refused.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from agentgate.actions import Decision, GuardName, Kind

__all__ = ["PATH", "modeline", "schema"]

PATH = Path(__file__).with_name("schema.json")


def modeline(path: str | Path = PATH) -> str:
    """The first line by which editors with yaml-language-server find the schema."""
    return f"# yaml-language-server: $schema={path}"


def schema() -> dict[str, Any]:
    """The schema of a whole policy file."""
    decision = {"enum": [word.value for word in Decision]}
    action = {"enum": [word.value for word in Kind]}
    glob = {"type": "string", "minLength": 1}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "AgentGate policy",
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": {
            "default": decision | {"description": "What no rule matches. Absent: ask."},
            "rules": {
                "description": "Read from the top; the first that matches wins.",
                "type": ["array", "null"],
                "items": {"$ref": "#/$defs/rule"},
            },
            "lift_guards": {
                "description": "Guards that do not ask in this project.",
                "type": ["array", "null"],
                "items": {"enum": [word.value for word in GuardName]},
            },
            "tests": {
                "description": "What `agentgate policy test` expects, and the control room before it saves.",
                "type": ["array", "null"],
                "items": {"$ref": "#/$defs/test"},
            },
        },
        "$defs": {
            "rule": {
                "type": "object",
                "additionalProperties": False,
                "required": ["decision"],
                "properties": {
                    "match": {
                        "description": "Absent: any action.",
                        "type": ["object", "null"],
                        "additionalProperties": False,
                        "properties": {
                            "action": action | {"description": "Absent: any."},
                            "target_glob": {
                                "description": "One glob, or a list of which one must match. exec: the "
                                "command line; fs_write, fs_read: the absolute path; net_egress: host:port.",
                                "anyOf": [glob, {"type": "array", "minItems": 1, "items": glob}],
                            },
                            "within": glob
                            | {"description": "The command line of the acting process or of one above it."},
                        },
                    },
                    "decision": decision,
                    "reason": {
                        "description": "Shown with the question, told to the agent on a deny.",
                        "type": "string",
                    },
                    "scope": {
                        "description": "Files: the resolved object must lie beneath, else it is denied.",
                        "type": "string",
                        "pattern": r"^[/~$][^*]*$",
                    },
                    "until": {
                        "description": "The last day (2027-01-31) or moment (2027-01-31T18:00) of the rule.",
                        "type": "string",
                        "pattern": r"^\d{4}-\d\d-\d\d",
                    },
                    "disabled": {
                        "description": "The rule keeps its place and matches nothing.",
                        "type": "boolean",
                    },
                },
            },
            "test": {
                "type": "object",
                "additionalProperties": False,
                "required": ["action", "target", "expect"],
                "properties": {
                    "action": action,
                    "target": {"description": "A target, not a glob.", "type": "string"},
                    "expect": decision,
                    "within": {"description": "The command of the process that would act.", "type": "string"},
                },
            },
        },
    }


if __name__ == "__main__":
    print(json.dumps(schema(), indent=2))
