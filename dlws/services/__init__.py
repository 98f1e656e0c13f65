"""Services: folders of manifests, applied to the cluster, watched, pruned and deleted."""
