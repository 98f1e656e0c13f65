"""From the text of config.yaml and cluster.yaml to a model, or to every problem there is."""
