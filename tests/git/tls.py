"""Serves a handler over TLS on a port of this machine, prints the port, and goes on until it is killed."""

import ssl
from http.server import ThreadingHTTPServer


def serve(handler, certificate, key, port):
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    print(server.server_address[1], flush=True)
    server.serve_forever()
