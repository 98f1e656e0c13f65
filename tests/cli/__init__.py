"""Tests of commands, as a person types them."""
