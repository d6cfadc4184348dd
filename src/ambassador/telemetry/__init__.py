"""Metrics for Prometheus, and a line for each session that has ended."""
