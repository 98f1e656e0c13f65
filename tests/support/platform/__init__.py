"""What the tests of the job platform share."""
