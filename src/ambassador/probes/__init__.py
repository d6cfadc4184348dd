"""Tests of endpoints: does it answer, and as it should."""
