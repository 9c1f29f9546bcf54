"""A process for what may crash, hang or swell: limits, no network, no writes. Knows no model.

`client` is the caller's side, `zygote` the process that forks one child for each call, `confine`
what a child does to itself before it looks at anything.
"""
