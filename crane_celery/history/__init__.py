"""The accounting record: every job, run and step that ended, in an SQL database, fed by the event stream."""
