"""Globs against a slow reference that tries everything, and against hostile names."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentgate.policy.glob import GlobError, command_regex, escape, expand, path_regex

VALUES = {"PWD": "/home/u/proj", "HOME": "/home/u", "STAR": "a*b", "TMP": "/tmp/"}


def lookup(name: str) -> str:
    try:
        return VALUES[name]
    except KeyError:
        raise GlobError(f"${name} is not set") from None


def path(glob: str, target: str) -> bool:
    return re.compile(path_regex(glob, lookup), re.DOTALL).fullmatch(target) is not None


def command(glob: str, target: str) -> bool:
    return re.compile(command_regex(glob, lookup), re.DOTALL).fullmatch(target) is not None


# -- the reference: plain recursion over the glob's characters


def slow_text(glob: str, text: str) -> bool:
    if not glob:
        return not text
    if glob[0] == "*":
        return slow_text(glob[1:], text) or (bool(text) and slow_text(glob, text[1:]))
    if not text:
        return False
    if glob[0] == "[":
        end = glob.index("]", 2)
        body = glob[1:end]
        negative = body[0] == "!"
        inside = text[0] in body[negative:]
        return inside is not negative and slow_text(glob[end + 1 :], text[1:])
    return (glob[0] == "?" or glob[0] == text[0]) and slow_text(glob[1:], text[1:])


def slow_segments(globs: list[str], names: list[str]) -> bool:
    if not globs:
        return not names
    if globs[0] == "**":
        return any(slow_segments(globs[1:], names[at:]) for at in range(len(names) + 1))
    if not names:
        return False
    whole = globs[0] == "*" and not names[0]  # "*" is a name, and a name is not empty
    return not whole and slow_text(globs[0], names[0]) and slow_segments(globs[1:], names[1:])


SEGMENT = st.one_of(
    st.just("**"),
    st.lists(
        st.sampled_from(["a", "b", ".", "*", "?", "[ab]", "[!a]", " ", "\n"]), min_size=1, max_size=5
    ).map(lambda parts: re.sub(r"\*+", "*", "".join(parts))),
).filter(lambda segment: segment not in (".", ".."))
NAME = st.text("ab. \n!#", min_size=1, max_size=6).filter(lambda name: name not in (".", ".."))


@settings(max_examples=1500, deadline=None)
@given(st.lists(SEGMENT, min_size=1, max_size=5), st.lists(NAME, min_size=1, max_size=6))
def test_paths_agree_with_the_reference(globs: list[str], names: list[str]) -> None:
    assert path("/" + "/".join(globs), "/" + "/".join(names)) == slow_segments(globs, names)


@settings(max_examples=1500, deadline=None)
@given(
    st.lists(st.sampled_from(["a", "b", "/", " ", "*", "?", "[a/]", "[!b]", "\n"]), max_size=7).map("".join),
    st.text("ab/ \n", max_size=12),
)
def test_command_lines_agree_with_the_reference(glob: str, line: str) -> None:
    assert command(glob, line) == slow_text(glob, line)


@settings(max_examples=500, deadline=None)
@given(st.text(min_size=1, max_size=20), st.text(max_size=20))
def test_an_escaped_text_matches_itself_and_nothing_else(text: str, other: str) -> None:
    assert command(escape(text), text)
    assert command(escape(text), other) == (text == other)


@pytest.mark.parametrize(
    "name", ["a b ", "!x", "#x", "x\n", "\n", "a\\b", "*", "[x]", "\udcff\udc80", "$PWD", "~", "x\t"]
)
def test_an_escaped_path_matches_itself(name: str) -> None:
    target = f"/d/{name}/{name}"
    assert path(escape(target), target)
    assert not path(escape(target), target + "x")
    assert not path(escape(target), target + "\n")
    assert path("/d/**", target) and path("/*/*/*", target)


@pytest.mark.parametrize(
    ("glob", "yes", "no"),
    [
        ("/p/*", ["/p/a", "/p/.a", "/p/a b"], ["/p", "/p/", "/p/a/b", "/q/a", "/p/a/"]),
        ("/p/**", ["/p", "/p/a", "/p/a/b", "/p/.x/\n"], ["/px", "/p2/a", "/"]),
        ("/**", ["/", "/a", "/a/b"], []),
        ("**", ["/", "/a/b"], []),
        ("*", ["/", "/a/b"], []),
        ("/", ["/"], ["/a"]),
        ("/p/**/x", ["/p/x", "/p/a/x", "/p/a/b/x"], ["/x", "/p/x/y", "/p/xx", "/p/ax"]),
        ("/p/**.py", ["/p/a.py", "/p/b/a.py", "/p/.py"], ["/p/a.pyc", "/p/a.py/b", "/q/a.py"]),
        ("/p/a**", ["/p/a", "/p/ab", "/p/ab/c"], ["/p/b", "/p/b/a"]),
        ("/p/**/a/**/b", ["/p/a/b", "/p/x/a/y/b", "/p/a/a/b/b"], ["/p/b", "/p/a", "/p/b/a"]),
        ("*.pth", ["/a.pth", "/x/y/.pth", "/x/y/z.pth"], ["/a.pth/b", "/a.pthx", "/a.pt"]),
        (".envrc", ["/.envrc", "/p/.envrc"], ["/p/x.envrc", "/p/.envrc/x"]),
        (
            "**/.git/hooks/*",
            ["/p/.git/hooks/pre-commit"],
            ["/p/.git/hooks", "/p/x.git/hooks/a", "/p/.git/hooks/a/b"],
        ),
        ("~/.ssh/**", ["/home/u/.ssh", "/home/u/.ssh/id"], ["/home/u/.sshx", "/home/v/.ssh/id"]),
        ("~", ["/home/u"], ["/home/u/x"]),
        ("$PWD/**", ["/home/u/proj", "/home/u/proj/a"], ["/home/u/projx", "/home/u"]),
        ("${PWD}x/*", ["/home/u/projx/a"], ["/home/u/proj/a"]),
        ("/d/$STAR", ["/d/a*b"], ["/d/axb"]),
        ("$TMP/*", ["/tmp/x"], ["/tmp//x", "/tmp"]),
        ("/p/[!a]", ["/p/b", "/p/\n"], ["/p/a", "/p//"]),
        ("/p[+-9]q", [], ["/p/q"]),
        ("/p/[[]x]", ["/p/[x]"], ["/p/x"]),
        ("/p/\\*", ["/p/*"], ["/p/x"]),
        ("/p/\\$PWD", ["/p/$PWD"], []),
        ("/P/x", ["/P/x"], ["/p/x"]),
        ("/p/$(x)", ["/p/$(x)"], []),
    ],
)
def test_paths(glob: str, yes: list[str], no: list[str]) -> None:
    assert [target for target in yes if not path(glob, target)] == []
    assert [target for target in no if path(glob, target)] == []


@pytest.mark.parametrize(
    ("glob", "yes", "no"),
    [
        ("npm install*", ["npm install", "npm install a/b\nc"], ["xnpm install", "npm  install"]),
        ("npm install *", ["npm install x", "npm install "], ["npm install"]),
        ("* -c *", ["bash -c x", "/a/b -c \n"], ["bash -c"]),
        ("$PWD/.venv/bin/* x", ["/home/u/proj/.venv/bin/pip x"], ["/home/u/proj/.venv/bin/pip xx"]),
        ("ls ?", ["ls a", "ls /", "ls \n"], ["ls", "ls ab"]),
        ("ls [!a]", ["ls b", "ls /"], ["ls a"]),
        ("a**b", ["ab", "axyb"], ["ba"]),
    ],
)
def test_command_lines(glob: str, yes: list[str], no: list[str]) -> None:
    assert [target for target in yes if not command(glob, target)] == []
    assert [target for target in no if command(glob, target)] == []


@pytest.mark.parametrize(
    ("glob", "says"),
    [
        ("src/*.py", "$PWD/src/*.py"),
        ("/p/", "/p/**"),
        ("/p/../q", "'..'"),
        ("/p/./q", "'.'"),
        ("..", "'..'"),
        ("/p/a**b", "'**' inside a name"),
        ("/p/***", "'**' inside a name"),
        ("/p/[a", "never closed"),
        ("/p/x\\", "lone backslash"),
        ("/p/[z-a]x", "bad character range"),
        ("/p/[[:alpha:]]", "not supported"),
        ("/p/[a/]", "never matches '/'"),
        ("/p/[a\\]", "backslash inside"),
        ("/p/$NOWHERE", "$NOWHERE is not set"),
        ("", "empty"),
    ],
)
def test_a_path_glob_that_cannot_work_says_how_to_mend_it(glob: str, says: str) -> None:
    with pytest.raises(GlobError) as error:
        path_regex(glob, lookup)
    assert says in str(error.value)


def test_expand_replaces_variables_and_home() -> None:
    assert expand("~/x", lookup) == "/home/u/x"
    assert expand("${PWD}/x $STAR", lookup) == "/home/u/proj/x a*b"
    assert expand("cost: $5", lookup) == "cost: $5"


# Backtracking would need 10^5 to the power of the number of stars: no machine ends that.
HOSTILE = 100_000


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "glob",
    ["*a*a*a*a*a*a*a*a*b", "*a*a*a*a*a*a*b*c", "?*?*?*?*?*b", "*[!b]*[!b]*[!b]*b", "a*aaaaaaaa*aaaaaaaaab"],
)
@pytest.mark.parametrize("text", ["a" * HOSTILE, "ab" * (HOSTILE // 2) + "x", "a/" * (HOSTILE // 2)])
def test_hostile_command_lines_take_bounded_time(glob: str, text: str) -> None:
    assert command(glob, text) is False


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "glob",
    [
        "/*a*a*a*a*a*a*b",
        "/**/a/**/a/**/a/**/b",
        "/**/*a*a*a/**/*a*b/**/b",
        "*a*a*a*a*b",
        "/**/*/*/*/*/b",
        "**/?*a*[!c]*b",
        "/*a*/*a*/*a*/b",
        "/**/*a*/**/*a*/*a*/b",
    ],
)
@pytest.mark.parametrize(
    "text",
    [
        "a" * HOSTILE,
        "/a" * (HOSTILE // 2),
        "/aaaaaaaa" * (HOSTILE // 9),
        "/".join(["a" * (HOSTILE // 4)] * 4),
        "/" * HOSTILE,
    ],
)
def test_hostile_paths_take_bounded_time(glob: str, text: str) -> None:
    assert path(glob, "/" + text) is False
