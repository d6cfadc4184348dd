"""What is in etcd for many ambassadors, and what follows from it for one. Pure.

`keys` has the names of all keys, `records` what one value means, `picture` what all values together
mean, `destination` where one ambassador leads a service, `progress` how far a move has come, `past`
what an undo goes back to.
"""
