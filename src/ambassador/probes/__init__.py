"""Probes of endpoints: whether an endpoint answers, and as it should."""
