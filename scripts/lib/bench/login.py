"""Prints a login as Better Auth signs it with a shared secret (HS256), which is in
BETTER_AUTH_SECRET, for the user that is named.
"""

import base64
import hmac
import json
import os
import sys
import time


def part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


now = int(time.time())
header = {"alg": "HS256", "typ": "JWT"}
claims = {"sub": sys.argv[1], "iat": now, "exp": now + 900}
signed = ".".join(part(json.dumps(piece).encode()) for piece in (header, claims))
key = os.environ["BETTER_AUTH_SECRET"].encode()
print(f"{signed}.{part(hmac.digest(key, signed.encode(), 'sha256'))}")
