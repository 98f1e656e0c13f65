"""One run: its options, record, plan, locks and console."""
