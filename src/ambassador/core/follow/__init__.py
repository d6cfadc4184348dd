"""Which member of a replicated store takes writes: one table a kind, all of them pure.

`stage` has what each stage means for clients; `sentinel`, and `lineage`, `timeline`, `readonly` and
`patroni` (with `claims`) decide; `lead` lays the decision over a route; `memory` is what is kept
over a restart.
"""
