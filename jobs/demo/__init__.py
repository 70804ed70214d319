"""The demo: a made-up dataset of scenes, a network trained on it, a sweep, an index and an atlas."""
