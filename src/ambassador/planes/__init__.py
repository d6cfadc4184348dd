"""What carries the traffic, one package a plane."""
