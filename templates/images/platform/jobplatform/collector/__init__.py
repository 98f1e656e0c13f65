"""Keeps the logs of jobs: on each node, from the files of its container runtime to the share."""
