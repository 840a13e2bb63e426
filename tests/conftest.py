"""Fixtures that every test may use."""

from __future__ import annotations

# In this order: the second imports the first.
pytest_plugins = ["support.cluster", "support.chart"]
