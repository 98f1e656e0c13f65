"""Shares on nodes: brought there by roles; looked at, stopped and cleaned up here."""
