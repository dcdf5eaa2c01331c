"""A client on Debian's python3-websocket: messages before and after a pause,
which ends with the end of standard input, on one connection."""
import sys

import websocket

connection = websocket.create_connection(sys.argv[1], timeout=60)


def talk(text):
    for size in (1, 125, 126, 65535, 65536):
        message = text * size
        connection.send(message)
        answer = connection.recv()
        if answer != message:
            sys.exit(f"{len(message)} bytes came back as {len(answer)}")
    connection.ping("are you there?")


talk("a")
print("paused", flush=True)
sys.stdin.read()
talk("b")
connection.close()
print("done by", connection.getheaders()["x-pid"], flush=True)
