"""What a site is published with: accepted recordings, readiness, shards, tested versions, a report of drift."""
