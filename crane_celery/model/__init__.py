"""Frozen records: what was asked (``JobSpec``) and what the system knows (``Job``, ``Element``, ``Node``)."""
