"""Pure decisions over frozen values: no loop, clock, socket or log; time is an argument."""
