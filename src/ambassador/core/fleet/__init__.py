"""What stands in etcd for many ambassadors, and what follows from it for one. Pure.

`keys` says where what stands, `records` what a value says, `picture` what all of them come to,
`destination` where one ambassador leads a service, `progress` how far a move has come, `past` what
an undo goes back to.
"""
