"""The commands of the `unitscope` program, a file each."""
