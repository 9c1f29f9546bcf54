"""The requests, exactly as boto3 takes them, and what must be true of them; pure, no network."""
