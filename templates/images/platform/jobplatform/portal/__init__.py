"""The portal: pages made on the server, which ask the API with the visitor's own token."""
