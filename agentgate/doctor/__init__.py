"""What holds on this machine, found out by trying it.

facts         what was found, and its form on the wire
attempt       one probe in a process of its own, which may die or hang
surroundings  where we are: container, WSL, gVisor, terminal
floor, drill  two probes: what Landlock refuses; a tiny real session (`drilled` is its program)
collect       runs these and those of the kernel gate (``intercept/kernel/probe.py``)
remote        `collect` in another process, for the control room
rights        pure: what each Landlock ABI added
obstacles     pure: what keeps the kernel gate from running at all
promises      pure: facts to a table of promises and a verdict
report        pure: the table as text
"""
