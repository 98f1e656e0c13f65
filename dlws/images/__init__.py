"""Docker images: contexts by name, built where they have to be, and pushed to a registry."""
