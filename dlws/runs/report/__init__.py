"""A run as a page with a timeline, and as JUnit."""
