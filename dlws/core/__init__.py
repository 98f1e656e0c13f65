"""What everything else stands on: errors, the seam to machines, node sets, files and texts here."""
