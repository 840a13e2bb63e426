"""Budgets as the cluster has them: where each stands, what waits, and the verdicts made of them."""
