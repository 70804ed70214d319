"""The filter language of `--where`, `?where=` and saved links: lexer, parser and evaluation over columns."""
