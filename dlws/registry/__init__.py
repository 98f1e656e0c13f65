"""The cluster's own registry of images, and what nodes pull: started, looked at, cleaned up."""
