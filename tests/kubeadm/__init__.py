"""Tests of dlws.kubeadm."""
