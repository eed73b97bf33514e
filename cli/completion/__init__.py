"""Completion of words in bash, zsh and fish."""
