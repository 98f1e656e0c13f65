"""Kubernetes on the nodes: made by kubeadm, labelled and watched through its API."""
