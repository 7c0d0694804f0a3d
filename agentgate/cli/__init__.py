"""The command line: one small module a command. What a command needs is imported when it runs."""
