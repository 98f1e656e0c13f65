"""A fault schedule: a seed gives machines, their faults and a command line; an oracle says what
must come of it, and a player does it for real against a farm."""
