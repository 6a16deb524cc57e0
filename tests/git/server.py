"""A Git host for tests: HTTPS in front of `git http-backend`. Prints its port, and serves until it is killed.

usage: server.py REPOSITORIES CERTIFICATE KEY [PORT]

In REPOSITORIES, the file `.token` holds the password that is required, `.hang` makes it answer nothing, and `.flood` makes it
send what has no end where a pack is asked for.
"""

import base64
import os
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler

import tls

root, certificate, key = sys.argv[1:4]
port = int(sys.argv[4]) if len(sys.argv) > 4 else 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def answer(self, status, headers, body):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def flood(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/x-git-upload-pack-result")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        self.wfile.write(b"000dpackfile\n")
        # Progress, which a client throws away.
        piece = b"fff0\x02" + b"." * (0xFFF0 - 5)
        try:
            for _ in range(20_000):
                self.wfile.write(piece)
        except OSError:
            pass
        return None

    def serve(self):
        while os.path.exists(os.path.join(root, ".hang")):
            time.sleep(0.1)
        body = self.body()
        token = os.path.join(root, ".token")
        if os.path.exists(token):
            wanted = "Basic " + base64.b64encode(("x-access-token:" + open(token).read().strip()).encode()).decode()
            if self.headers.get("Authorization") != wanted:
                return self.answer(401, [("WWW-Authenticate", 'Basic realm="test"')], b"")
        if os.path.exists(os.path.join(root, ".flood")) and b"command=fetch" in body:
            return self.flood()
        path, _, query = self.path.partition("?")
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": root,
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "HOME": root,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        made = subprocess.run(["git", "http-backend"], input=body, stdout=subprocess.PIPE, env=environment, check=False)
        head, _, text = made.stdout.partition(b"\r\n\r\n")
        headers = [tuple(line.split(": ", 1)) for line in head.decode().split("\r\n") if ": " in line]
        status = next((int(value.split()[0]) for name, value in headers if name == "Status"), 200)
        return self.answer(status, [one for one in headers if one[0] != "Status"], text)

    do_GET = do_POST = serve


tls.serve(Handler, certificate, key, port)
