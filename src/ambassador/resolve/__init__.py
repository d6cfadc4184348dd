"""Names to addresses: /etc/hosts first, then DNS by its TTL, then what else the system knows."""
