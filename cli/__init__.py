"""The `unitscope` command: parse, call one function, print."""
