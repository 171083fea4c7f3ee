"""The YAML file of a cluster, checked offline."""
