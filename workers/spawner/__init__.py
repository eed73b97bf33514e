"""Run as the job's user: start processes and wait for them; and the fork server that makes spawners."""
