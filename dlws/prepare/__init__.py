"""What a bare machine needs before Kubernetes."""
