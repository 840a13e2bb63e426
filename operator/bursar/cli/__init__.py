"""The command line: reads arguments, asks the core or the read API, prints. Decides nothing."""
