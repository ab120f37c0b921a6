"""Sends a text to a port of this machine, reads until an answer has come, says so, and holds the connection until its end.

Called with the port, the text (with \\r and \\n written out or as they are), and what the answer must have in it.
"""

import contextlib
import socket
import sys
import time

port, text, answer = sys.argv[1:4]
until = time.monotonic() + 20
while True:
    try:
        connection = socket.create_connection(("127.0.0.1", int(port)), 20)
        break
    except ConnectionRefusedError:
        if time.monotonic() > until:
            raise
        time.sleep(0.02)
connection.sendall(text.encode().replace(b"\\r", b"\r").replace(b"\\n", b"\n"))
got = b""
while answer.encode() not in got:
    more = connection.recv(65536)
    if not more:
        sys.exit(f"the connection ended before the answer, after {got!r}")
    got += more
print("answered", flush=True)
connection.settimeout(60)
with contextlib.suppress(ConnectionResetError):
    while connection.recv(65536):
        pass
