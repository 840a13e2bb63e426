"""What Prometheus scrapes, and what probes are told."""
