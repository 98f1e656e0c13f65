"""What the services behind nginx are told and prove themselves with: made here, kept in deploy/."""
