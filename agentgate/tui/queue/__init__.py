"""The questions that wait: cards, commands, filters, verdicts, and what is known of each."""
