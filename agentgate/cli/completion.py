"""``agentgate completion``: the script that makes a shell complete our words, and the words themselves.

The script asks the program, which knows its own commands; so it never has to be made anew.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from agentgate.cli import exits

__all__ = ["add", "candidates"]

_SCRIPTS = {
    "bash": """\
_agentgate() {
    local IFS=$'\\n'
    COMPREPLY=($(agentgate completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -o bashdefault -F _agentgate agentgate
""",
    "zsh": """\
#compdef agentgate
_agentgate() {
    local -a found
    found=("${(@f)$(agentgate completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n ${found[1]} ]]; then compadd -a found; else _files; fi
}
compdef _agentgate agentgate
""",
    "fish": """\
complete -c agentgate -a '(agentgate completion words -- (commandline -opc)[2..] (commandline -ct))'
""",
}
_EXAMPLE = """\
example:
  source <(agentgate completion bash)                                      bash, for ever in ~/.bashrc
  source <(agentgate completion zsh)                                       zsh, likewise in ~/.zshrc
  agentgate completion fish > ~/.config/fish/completions/agentgate.fish    fish
"""


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "completion",
        help="print what makes your shell complete agentgate's words",
        description="Print what makes your shell complete agentgate's words.",
        epilog=_EXAMPLE,
    )
    parser.add_argument("shell", metavar="SHELL", choices=[*_SCRIPTS, "words"], help="bash, zsh or fish")
    parser.add_argument("words", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    if args.shell != "words":
        print(_SCRIPTS[args.shell], end="")
        return exits.OK
    from agentgate.cli.main import parser

    words = args.words[1:] if args.words[:1] == ["--"] else args.words
    for word in candidates(parser(), words or [""]):
        print(word)
    return exits.OK


def candidates(parser: argparse.ArgumentParser, words: list[str]) -> list[str]:
    """What the last of ``words`` may become; empty where a file name or an agent's command stands."""
    *before, prefix = words
    positional = 0
    value: argparse.Action | None = None
    for word in before:
        if word == "--":
            return []
        if value is not None:
            value = None
        elif word.startswith("-"):
            option = parser._option_string_actions.get(word)
            value = option if option is not None and option.nargs is None else None
        elif (verbs := _verbs(parser)) is not None and word in verbs.choices:
            parser, positional = verbs.choices[word], 0
        else:
            positional += 1
    if value is not None:
        found = [str(choice) for choice in value.choices or ()]
    elif prefix.startswith("-"):
        found = [name for name in parser._option_string_actions if name.startswith("--")]
    else:
        found = list(_words(parser, positional))
    return sorted(word for word in found if word.startswith(prefix))


def _verbs(parser: argparse.ArgumentParser) -> Any:
    """The commands of ``parser``, by their names; None when it has none."""
    return next(
        (action for action in parser._actions if isinstance(action, argparse._SubParsersAction)), None
    )


def _words(parser: argparse.ArgumentParser, positional: int) -> Iterator[str]:
    """What stands at this place among the arguments that are no options."""
    for action in parser._get_positional_actions()[positional:][:1]:
        yield from (str(choice) for choice in action.choices or ())
