"""What did happen: one line for each decision, written and read."""
