"""The network itself: the process that holds it, and how the service talks to it."""
