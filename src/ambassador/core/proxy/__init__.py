"""The PROXY header, versions 1 and 2: who a connection is made for, said before its first byte.

The format is HAProxy's doc/proxy-protocol.txt (revision of 2020); "section" means one of it.
"""
