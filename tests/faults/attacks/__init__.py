"""Define what one user does to a cluster, on purpose or not, so that others suffer: each attack a function of a
`User`."""
