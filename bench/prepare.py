"""Makes a system's tables or tokens, in a process of that system's own.

`python -m bench.prepare MODULE schema` or `… tokens`, which reads ids of users from the standard
input, and prints their tokens, both as JSON.
"""

import json
import sys
from importlib import import_module

module = import_module(sys.argv[1])
made = None
if sys.argv[2] == "schema":
    module.create_schema()
else:
    made = {user_id: module.create_token(user_id) for user_id in json.load(sys.stdin)}
json.dump(made, sys.stdout)
