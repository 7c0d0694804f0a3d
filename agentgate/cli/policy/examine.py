"""``policy lint`` and ``policy test``."""

from __future__ import annotations

import argparse
import json
from typing import Any

from agentgate.cli import exits
from agentgate.cli.policy.kit import Rules, guarded, subcommand

__all__ = ["add"]

_LINT = """\
example:
  agentgate policy lint
  agentgate policy lint --policy policy-samples/node.yaml

exit status: 0 nothing to say, 1 at least one remark, 2 it does not load
"""
_TEST = """\
example:
  agentgate policy test

The file's own tests: each a target, and what must be decided on it. Guards are not asked.

exit status: 0 all as expected, 1 at least one is not, 2 it does not load
"""


def add(verbs: Any) -> None:
    lint = subcommand(verbs, "lint", "say what is probably a mistake", _LINT, _lint)
    test = subcommand(verbs, "test", "run the file's tests", _TEST, _test)
    for parser in (lint, test):
        parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="one JSON object")


def _lint(args: argparse.Namespace) -> int:
    from agentgate.policy.lint import lint

    rules = Rules.of(args)
    remarks = lint(rules.file.text(), rules.context, guarded(rules), rules.file.label)
    if args.json:
        print(
            json.dumps(
                [
                    {"line": remark.line, "column": remark.column, "what": remark.what, "fix": remark.fix}
                    for remark in remarks
                ]
            )
        )
    else:
        for remark in remarks:
            print(remark.to_text(rules.file.label))
        if not remarks:
            print(f"{rules.file.label}: nothing to say")
    return exits.FOUND if remarks else exits.OK


def _test(args: argparse.Namespace) -> int:
    from agentgate.policy.explain import run_tests

    rules = Rules.of(args)
    policy = rules.file.load(rules.check)
    failures = run_tests(policy, rules.context)
    if args.json:
        print(
            json.dumps(
                {
                    "tests": len(policy.tests),
                    "failures": [
                        {
                            "line": failure.test.line,
                            "action": failure.test.action.value,
                            "target": failure.test.target,
                            "expected": failure.test.expect.value,
                            "got": failure.got.decision.value if failure.got else None,
                            "why": failure.got.why if failure.got else failure.problem,
                        }
                        for failure in failures
                    ],
                }
            )
        )
    else:
        for failure in failures:
            print(failure)
        passed = len(policy.tests) - len(failures)
        print(f"{rules.file.label}: {passed} of {len(policy.tests)} tests as expected")
    return exits.FOUND if failures else exits.OK
