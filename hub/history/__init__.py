"""What an auditor asks of the log, told from the log: divisions, stories, what somebody knew (floor 4, pure)."""
