"""The store of one component (floor 5): the log, its rows, the inbox and the outbox, in PostgreSQL or in memory."""
