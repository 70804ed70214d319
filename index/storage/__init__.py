"""Files of a store on a local disk or in a bucket: read, written aside and renamed, packed."""
