"""What holds on this machine, found out by trying it.

facts       what was found, and its form on the wire
attempt     one probe in a process of its own, which may die or hang
surroundings, terminal   where we are: container, WSL, gVisor; what the terminal can show
collect     runs all probes
drill       a tiny real session: what its program tries is held, refused, and has no effect
promises    pure: facts to a table of promises and a verdict
report      pure: the table as text
"""
