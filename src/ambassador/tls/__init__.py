"""TLS over sockets that do not wait: who we are, whom we trust, bytes in and out.

`bundle` reads and judges files, `keyring` has what is in force and renews it, `contexts` makes of
it what OpenSSL wants, `stream` is a socket that speaks TLS, `records` what it makes of bytes. All
but `bundle`'s names are imported only where a route needs them: `ssl` is 30 ms and 4 MB.
"""
