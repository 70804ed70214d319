"""The network under study: load, preprocess, run, find what positions see. No disk formats, no Ray, no HTTP."""
