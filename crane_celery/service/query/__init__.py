"""Questions about jobs and nodes: listings, records, explanations, forecasts, and history joined with what lives."""
