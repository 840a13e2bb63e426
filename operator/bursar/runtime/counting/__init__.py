"""What pods ever cost by the series of Prometheus, as the ledger remembers it."""
