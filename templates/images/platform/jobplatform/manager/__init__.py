"""The manager: brings what Kubernetes runs to what the database says, one leader at a time."""
