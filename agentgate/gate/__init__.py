"""Who decides: guards, policy, remembered answers, the operator - and the questions that wait."""
