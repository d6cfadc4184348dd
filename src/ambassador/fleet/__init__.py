"""etcd: the keys of many ambassadors, watched, announced, moved and reported.

Imported only where AMBASSADOR_ETCD is set and a part needs it: h11, ssl and json are 20 ms.
"""
