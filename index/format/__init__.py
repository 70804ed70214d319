"""The store's format: schemas, manifest, boxes, and how its Parquet files are written and read."""
