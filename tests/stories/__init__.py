"""End to end: what a person does with the program, and what machines do meanwhile."""
