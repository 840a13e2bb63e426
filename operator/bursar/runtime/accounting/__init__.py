"""The accounts of pods and nodes: from what the watches bring to rows of the ledger."""
