"""What prices and meanings come from: the bundled tables, the cluster's own objects, Prometheus."""
