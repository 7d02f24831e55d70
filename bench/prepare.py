"""Makes a system's tables or tokens, in a process of that system's own.

`python -m bench.prepare MODULE TASK` reads what the task needs from the standard input, and prints
what was made, both as JSON: for `schema` nothing, for `tokens` ids of users and their tokens, for
`sql` (ours only) requests of each endpoint and the SQL of each request.
"""

import json
import sys
from importlib import import_module

module = import_module(sys.argv[1])
data = json.load(sys.stdin)
made = None
match sys.argv[2]:
    case "schema":
        module.create_schema()
    case "tokens":
        made = {user_id: module.create_token(user_id) for user_id in data}
    case "sql":
        made = {name: module.record_sql(requests) for name, requests in data.items()}
json.dump(made, sys.stdout)
