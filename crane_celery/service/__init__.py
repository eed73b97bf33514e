"""The use cases behind every command and the Python API, over the store's verbs."""
