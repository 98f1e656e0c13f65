"""What the devices of a node do, for Prometheus: a pod on each worker."""
