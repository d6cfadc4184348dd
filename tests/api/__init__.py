"""The admin API of the real program, over TCP with its token."""
