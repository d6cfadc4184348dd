"""The kernel plane: nftables forwards, and connection tracking remembers."""
