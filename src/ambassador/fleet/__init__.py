"""etcd: what stands there for many ambassadors, watched, announced, moved and reported.

Imported only where AMBASSADOR_ETCD is set and something asks for it: h11, ssl and json are 20 ms.
"""
