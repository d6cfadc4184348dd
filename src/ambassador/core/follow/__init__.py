"""Which member of a replicated store takes writes: one table a kind, all of them pure.

`stage` says what a stage means for clients, `sentinel`, and `lineage`, `timeline` and `readonly`
(with `claims`) decide, `lead` lays what was decided over a route, `memory` is what outlives a
restart.
"""
