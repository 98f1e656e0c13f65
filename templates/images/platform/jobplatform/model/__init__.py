"""What jobs, rights and reasons are: values and rules, without a database or a network."""
