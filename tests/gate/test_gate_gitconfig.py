"""What git itself notes down in ``.git/config`` needs no question; what can name a program does."""

from __future__ import annotations

import pytest

from agentgate.gate.gitconfig import harmless

INIT = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n\tlogallrefupdates = true\n"
ORIGIN = (
    '[remote "origin"]\n\turl = https://example.com/x.git\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n'
)
MAIN = '[branch "main"]\n\tremote = origin\n\tmerge = refs/heads/main\n'
ALIAS = "[alias]\n\tst = status -s\n"


@pytest.mark.parametrize(
    ("new", "old"),
    [
        ("", ""),
        (INIT, ""),
        (INIT, "[core]\n\trepositoryformatversion = 0\n"),
        (INIT + ORIGIN + MAIN, INIT + ORIGIN),  # git branch -u
        (INIT + '[branch "x"]\n\tremote = .\n\tmerge = refs/heads/main\n', INIT),
        (INIT + ORIGIN, INIT + ORIGIN + MAIN),  # git branch -d
        (INIT + "[user]\n\tname = Zoë O'Neil\n\temail = zoe@example.com\n", INIT),
        (INIT + "[pull]\n\trebase = true\n", INIT),
        ("[extensions]\n\tworktreeConfig = true\n" + INIT, INIT),
        (INIT + ALIAS + MAIN + ORIGIN, INIT + ORIGIN + ALIAS),  # what was there may stay
        ("# a word\n\n; another\n" + INIT, INIT),
    ],
)
def test_what_git_notes_down(new: str, old: str) -> None:
    assert harmless(new.encode(), old.encode(), empty=False)


@pytest.mark.parametrize(
    "url", ["https://x.org/y.git", "../bare.git", "git@example.com:me/x.git", "/srv/x/."]
)
def test_a_repository_without_content_may_be_a_clone_of_any(url: str) -> None:
    clone = INIT + f'[remote "o"]\n\turl = {url}\n' + MAIN
    assert harmless(clone.encode(), INIT.encode(), empty=True)
    assert not harmless(clone.encode(), INIT.encode(), empty=False)


@pytest.mark.parametrize(
    "line",
    [
        "[core]\n\tfsmonitor = ./evil", "[core]\n\thooksPath = .hooks", "[core]\n\tsshCommand = ./evil",
        "[core]\n\tworktree = ../..", "[core]\n\tpager = ./evil", "[core]\n\teditor = vi", ALIAS,
        "[include]\n\tpath = ../evil", '[includeIf "gitdir:/"]\n\tpath = x', "[filter]\n\tclean = x",
        '[filter "x"]\n\tclean = ./evil', '[diff "x"]\n\ttextconv = ./evil', "[gpg]\n\tprogram = ./evil",
        '[remote "o"]\n\turl = ext::sh -c evil', '[remote "o"]\n\turl = ext::evil',
        '[remote "o"]\n\turl = --upload-pack=evil', '[remote "o"]\n\tuploadpack = ./evil',
        '[remote "o"]\n\tpushurl = x', '[remote "o"]\n\tvcs = evil', '[remote "o"]\n\tproxy = x',
        '[url "evil"]\n\tinsteadOf = https://', "[credential]\n\thelper = !evil",
        '[submodule "x"]\n\tupdate = !evil', '[submodule "x"]\n\turl = x', "[core] fsmonitor = ./evil",
        "[CORE]\n\tfsmonitor = ./evil", "[core]fsmonitor=./evil", "[core]\nfsmonitor = ./evil",
        "[core]\n\tbare = false\\\n\tfsmonitor = x", "[core]\n\tbare = \"fal\\\nse\"", "[core]\n\tbare",
        "[core]\n\tbare = false\r\n\tfsmonitor = ./evil", "[core]\n\tbare = false\0", "\ufeff[core]",
        '[branch "x"]\n\tremote = ./evil x', '[branch "x"]\n\tmergeoptions = -s evil',
        '[remote "a\\"]\n\turl = x', "[core.x]\n\tbare = true", '[core "x"]\n\tbare = true',
        "[user]\n\tsigningkey = x", "[push]\n\tgpgSign = x", "\tfsmonitor = ./evil", "x",
    ],
)  # fmt: skip
@pytest.mark.parametrize("old", ["", INIT, ALIAS[:8]])
def test_what_may_run_something(line: str, old: str) -> None:
    for new in (line, line + "\n", f"{line}\n{INIT}", f"{INIT}{line}\n", f"{old}{line}\n"):
        assert not harmless(new.encode(), old.encode(), empty=True), new


@pytest.mark.parametrize(
    ("new", "old"),
    [
        (INIT + ORIGIN.replace("example", "evil"), INIT + ORIGIN),
        (INIT + ORIGIN + '\turl = https://evil.com/x\n', INIT + ORIGIN),
        (INIT + '[remote "new"]\n\turl = https://evil.com/x\n', INIT),
        (INIT + ORIGIN + MAIN.replace("= origin", "= other"), INIT + ORIGIN + MAIN),
        (INIT + ORIGIN + MAIN.replace("= origin", "= evil.com"), INIT + ORIGIN),
        (INIT + ORIGIN + '[branch "y"]\n\tremote = ../evil\n', INIT + ORIGIN),
        (INIT, INIT + ALIAS),  # what is not understood is not taken away either
        (INIT + ALIAS + "\tx = y\n", INIT + ALIAS),
        ("[filter]\n" + INIT[7:], INIT),
        (INIT + "[alias]\n\tb = 1\n\ta = 2\n", INIT + "[alias]\n\ta = 2\n\tb = 1\n"),
        (INIT + '[x]\n[core]\n\tst = !x\n', INIT + "[core]\n[x]\n\tst = !x\n"),  # another section's now
    ],
)  # fmt: skip
def test_an_existing_repository_is_not_turned_elsewhere(new: str, old: str) -> None:
    assert not harmless(new.encode(), old.encode(), empty=False)


def test_what_is_no_text_is_asked_about() -> None:
    assert not harmless(b"\xff", b"\xff", empty=True)
