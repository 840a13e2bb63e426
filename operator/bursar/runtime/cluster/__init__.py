"""The API server: one connection, watches that lose nothing, reads, and what is written there."""
