"""The PROXY header, versions 1 and 2: the client that a connection is made for, sent before the
first byte of the stream.

The format is HAProxy's doc/proxy-protocol.txt (revision of 2020); "section" means a section of it.
"""
