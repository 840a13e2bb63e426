"""The only I/O: the API server, the ledger, the clock, HTTP. What to do it asks the core."""
