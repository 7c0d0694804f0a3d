"""The drill: the package worms of 2025 and 2026 re-enacted under the real gate, without harm.

    campaigns.py   what each of them did, as data
    world.py       a temporary home with canaries, a project, the package that does it
    server.py      the "command server", on loopback
    payload.py     what the package's install script runs: the steps, one after the other
    play.py        one campaign, gated or not, and what came of each step as seen from outside
    report.py      the outcome for a person and for a program

Nothing leaves the machine: whatever a step reads is made up, whatever it sends goes to a loopback port of
ours, whatever it wipes or writes lies in the temporary home.
"""
