"""Image datasets: folders, Parquet files and tar files, listed and read in one way."""
