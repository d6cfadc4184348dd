"""Containers by name behind real engines of several versions: restarts, recreation, wake, rest."""
