"""All that speaks to AWS: clusters and steps made once, waited for, looked at, ended."""
