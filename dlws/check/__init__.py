"""Preflight: what has to be right about the nodes before anything is changed on them."""
