"""Names to addresses: /etc/hosts first, then DNS with its TTL, then all else that the system
knows.
"""
