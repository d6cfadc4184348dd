"""TLS over non-blocking sockets: our identity, the authorities that we trust, bytes in and out.

`bundle` reads and checks files, `keyring` has the identity in force and renews it, `contexts` makes
OpenSSL contexts of it, `stream` is a socket with TLS, `records` turns bytes into records and back.
All except the names of `bundle` are imported only where a route needs them: `ssl` is 30 ms and 4
MB.
"""
