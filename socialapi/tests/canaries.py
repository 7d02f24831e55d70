"""What a client sends, and neither the log nor a report may have: all of it holds `canary`."""

EMAIL = "canary-address@example.com"
PASSWORD = "canary-password-42"
TOKEN = "eyJhbGciOiJub25lIn0.Y2FuYXJ5LXRva2Vu.canary-signature"
