"""Plain words for commands and actions: right for the common ones, silent or harmless for the rest."""

import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentgate.actions import Action, Kind, Process
from agentgate.escape import printable
from agentgate.intent import for_action, words

NPM = "install the npm package chalk and run its install scripts"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("npm install chalk", NPM),
        ("npm i --save-dev a b", "install the npm packages a, b and run their install scripts"),
        ("npm i a b c d e", "install the npm packages a, b, c and 2 more and run their install scripts"),
        ("npm ci", "install the project's npm packages and run their scripts"),
        ("npm --prefix web install chalk", NPM),
        ("npm run build", "run the project's script build"),
        ("npm frobnicate", ""),
        ("npm", ""),
        ("yarn", "install the project's npm packages and run their scripts"),
        ("npx cowsay", "fetch and run the npm package cowsay"),
        ("node /usr/lib/node_modules/npm/bin/npm-cli.js install chalk", NPM),
        ("env A=1 node /usr/bin/npm install chalk", NPM),
        ("bash -c 'npm install chalk'", NPM),
        ("sh -c \"bash -c 'npm install chalk'\"", NPM),
        ("node index.js", "run the JavaScript program index.js"),
        ("node -e 1", "run inline JavaScript code"),
        ("pip install -r req.txt", "install the Python packages listed in req.txt"),
        ("/p/.venv/bin/pip3.11 install x", "install the Python package x and may run its build scripts"),
        ("python3.11 -m pip install x", "install the Python package x and may run its build scripts"),
        ("uv pip install x", "install the Python package x and may run its build scripts"),
        ("pip install .", "install this Python project and run its build scripts"),
        ("python3 -m venv .venv", "make a Python environment in .venv"),
        ("python3 -m http.server", "run the Python module http.server"),
        ("python3 -c 'print(1)'", "run inline Python code"),
        ("python3 -Ic 'print(1)'", "run inline Python code"),
        ("python3 x.py -c y", "run the Python program x.py"),
        ("curl -fsSL https://x/y -o z", "download https://x/y"),
        ("curl -d @f https://x", "send data to https://x"),
        ("curl -X POST https://x", "send data to https://x"),
        ("wget https://x", "download https://x"),
        ("rm -rf a b", "delete a, b and everything below"),
        ("rm a", "delete a"),
        ("rm", ""),
        ("git push --force origin main", "push commits to origin, overwriting history"),
        ("git -C x push", "push commits to the remote"),
        ("git clone https://x/y", "copy the repository https://x/y"),
        ("chmod u+x a", "make a executable"),
        ("mv a b c", "move a, b to c"),
        ("sudo apt-get install vim", "install the system package vim as the administrator"),
        ("timeout 5 ls", "list the directory"),
        ("bash -c 'a | b && c'", "run a shell command: a | b && c"),
        ("bash script.sh x", "run the shell script script.sh"),
        ("bash", ""),
        ("-bash", ""),
        ("ssh host rm x", "log in to host and run a command there"),
        ("unknown --thing", ""),
    ],
)
def test_commands(line: str, said: str) -> None:
    assert words(tuple(shlex.split(line))) == said


def test_a_long_shell_command_is_cut() -> None:
    said = words(("bash", "-c", "x; " * 100))
    assert said == "run a shell command: " + ("x; " * 100)[:59] + "…"


@settings(max_examples=500, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                [
                    "npm",
                    "sudo",
                    "env",
                    "bash",
                    "-c",
                    "python3",
                    "-m",
                    "git",
                    "node",
                    "--",
                    "-",
                    "",
                    "install",
                    "curl",
                    "rm",
                    "-r",
                    "chmod",
                    "mv",
                    "timeout",
                    "uv",
                    "pip",
                    "exec 'bash' -c '",
                    "eval '",
                    "\udcff",
                    "\x1b[2J",
                ]
            ),
            st.text(max_size=12),
        ),
        max_size=8,
    )
)
def test_any_argv_gives_safe_text(argv: list[str]) -> None:
    said = words(tuple(argv))
    assert printable(said) == said
    assert len(said) < 1000


@pytest.mark.timeout(30)
def test_a_huge_argv_is_no_burden() -> None:
    words(("rm", *["-x"] * 100_000, "y"))
    words(("bash", "-c", "'" * 100_000))
    words(("bash", "-c", "$(" * 60_000))
    words(("env",) * 100_000)
    words(("bash", "-c", "bash -c " * 10_000))


BASH = Process(1, ("/usr/bin/bash", "-c", "npm install chalk | cat"))
INSTALL = Process(2, ("node", "/usr/lib/node_modules/npm/bin/npm-cli.js", "install", "chalk"))
AGENT = Process(3, ("/usr/bin/node", "/usr/bin/gemini"))


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (Action(Kind.EXEC, "npm install chalk", ("npm", "install", "chalk")), NPM),
        (Action(Kind.EXEC, "npm install chalk"), NPM),
        (
            Action(Kind.FS_WRITE, "/x", syscall="openat", chain=(INSTALL, BASH)),
            "npm install chalk: write a file",
        ),
        (
            Action(Kind.FS_WRITE, "/x", syscall="unlinkat", chain=(INSTALL,)),
            "npm install chalk: delete a file",
        ),
        (Action(Kind.FS_WRITE, "/x", syscall="symlinkat"), "make a symbolic link"),
        (Action(Kind.FS_WRITE, "/x", syscall="linkat"), "link a file under another name"),
        (Action(Kind.FS_WRITE, "/x", syscall="fchmodat2"), "change a file's permissions"),
        (Action(Kind.FS_WRITE, "/x", syscall="utimensat"), "set a file's time"),
        (Action(Kind.FS_WRITE, "/x", syscall="never-heard-of"), "change a file"),
        (Action(Kind.FS_READ, "/x", chain=(Process(1, ("cat", "/x")),)), "cat /x: read a file"),
        (Action(Kind.NET_EGRESS, "a.b:443", chain=(AGENT,)), "node: connect to a.b:443"),
        (Action(Kind.NET_EGRESS, "a.b:443", chain=(INSTALL, AGENT)), "npm install chalk: connect to a.b:443"),
        (Action(Kind.NET_EGRESS, "unix:/run/x"), "connect to the local socket /run/x"),
        (Action(Kind.NET_EGRESS, "udp://a:53"), "send datagrams to a:53"),
        (Action(Kind.NET_EGRESS, "listen://0.0.0.0:1"), "wait for connections on 0.0.0.0:1"),
        (Action(Kind.NET_EGRESS, "a:1", chain=(Process(1, (), "/opt/tool"),)), "tool: connect to a:1"),
        (Action(Kind.NET_EGRESS, "a:1", chain=(Process(1),)), "connect to a:1"),
    ],
)
def test_actions(action: Action, said: str) -> None:
    assert for_action(action) == said
