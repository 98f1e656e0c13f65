"""Pure: what is to be on Azure, as one ARM template."""
