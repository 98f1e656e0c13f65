"""Machines on Azure: one template makes them; from then on their state is read from Azure."""
