"""What an engine says of its containers, and what follows from it: which of them an expression
means, at which address and port they are, what an event changes, which routes labels make.
"""
