"""The job platform (templates/images/platform)."""
