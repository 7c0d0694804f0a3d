"""The policy panel: rules as lines and fields, their editors, and what a change would change."""
