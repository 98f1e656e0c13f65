"""Workers that come and go: by number, as one scale set, and by the work there is."""
