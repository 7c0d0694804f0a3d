"""The schema for editors says what the loader says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from agentgate.policy.errors import PolicyError
from agentgate.policy.load import load_text
from agentgate.policy.schema import PATH, modeline, schema
from agentgate.policy.store import default_text

SAMPLES = sorted((Path(__file__).parents[2] / "policy-samples").iterdir())


class _Plain(yaml.SafeLoader):
    """Dates as the text that the schema speaks of."""


_Plain.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: loader.construct_scalar(node))


def fits(text: str) -> bool:
    data: Any = yaml.load(text, Loader=_Plain)
    try:
        jsonschema.validate(data, schema())
    except jsonschema.ValidationError:
        return False
    return True


def loads(text: str) -> bool:
    try:
        load_text(text, "p")
    except PolicyError:
        return False
    return True


def test_what_is_shipped_is_what_is_made() -> None:
    """Run ``python -m agentgate.policy.schema > agentgate/policy/schema.json`` when this fails."""
    assert json.loads(PATH.read_text()) == schema()
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_the_samples_fit_and_name_it(path: Path) -> None:
    text = path.read_text()
    assert fits(text)
    assert text.splitlines()[0] == modeline("../agentgate/policy/schema.json")
    assert (path.parent / "../agentgate/policy/schema.json").is_file()


def test_the_default_fits() -> None:
    assert fits(default_text())


@pytest.mark.parametrize(
    "text",
    [
        "default: ask\n",
        "rules:\n",
        "lift_guards: [ssh]\n",
        "rules:\n  - {match: {action: exec, target_glob: [a, b], within: c}, decision: deny, reason: x}\n",
        'rules:\n  - {match: {action: fs_write}, decision: allow, scope: "$PWD", until: 2027-01-31}\n',
        "rules:\n  - {decision: allow, until: 2027-01-31T18:00, disabled: true}\n",
        "tests:\n  - {action: exec, target: ls, expect: allow, within: x}\n",
        # and what neither takes
        "default: alow\n",
        "rule: []\n",
        "rules: 3\n",
        "rules:\n  - {match: {action: exe}, decision: deny}\n",
        "rules:\n  - {match: {action: exec}}\n",
        "rules:\n  - {match: {target_glob: []}, decision: deny}\n",
        "rules:\n  - {match: {target_glob: 3}, decision: deny}\n",
        "rules:\n  - {decision: deny, scope: 'src'}\n",
        "rules:\n  - {decision: deny, until: soon}\n",
        "rules:\n  - {decision: deny, disabled: 'yes'}\n",
        "lift_guards: [sshh]\n",
        "tests:\n  - {action: exec, target: ls}\n",
    ],
)
def test_schema_and_loader_agree(text: str) -> None:
    assert fits(text) == loads(text)
