"""What may be shown: one safe line of any text, and nothing that looks like a secret.

names.py       what a name says of its value: `db_pass_prod` is secret, `token_count` is not
addresses.py   user-info and parameters of an address
tokens.py      what is secret by its shape: keys, tokens, encoded passwords (`detect-secrets`)
text.py        all of these in one text, and the text without them
settings.py    the settings, options and parameters that may be shown: by allow-list
tree.py        the places in nested values that hold a secret
lines.py       text that no terminal and no log obeys

Imports nothing of sparkml and nothing heavy; `detect-secrets` when a text holds what may be a key.
"""

from sparkml.redaction.addresses import credentials_in
from sparkml.redaction.lines import as_json, one_line, printable
from sparkml.redaction.settings import shown_setting, shown_value, wrong_value
from sparkml.redaction.text import MASK, masked, safe_line
from sparkml.redaction.tree import BY_NAME, secrets_in

__all__ = [
    "BY_NAME",
    "MASK",
    "as_json",
    "credentials_in",
    "masked",
    "one_line",
    "printable",
    "safe_line",
    "secrets_in",
    "shown_setting",
    "shown_value",
    "wrong_value",
]
