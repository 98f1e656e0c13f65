"""What Prometheus is told of devices and of Kubernetes, each by a role of its own."""
