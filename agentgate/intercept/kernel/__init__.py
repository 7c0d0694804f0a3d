"""The kernel gate: Landlock holds the agent, seccomp hands every mutating call to the warden."""
