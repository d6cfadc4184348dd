"""Scenarios on real Docker engines; `bed` is what they stand on."""
