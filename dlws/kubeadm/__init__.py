"""Clusters made with kubeadm."""
