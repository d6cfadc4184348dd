"""What Prometheus is told: a table of names, and the text made from it."""
