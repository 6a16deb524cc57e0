"""The second opinion of the contract suites: moto.

Run with the port it listens on, on loopback. It ends when its standard input does: a test process that dies takes it
along. Whoever assumes a role of another account is in that account; everybody else in 123456789012.
"""

import importlib.metadata
import os
import sys
import threading

PINNED = "5.2.5"


def end_with_standard_input():
    def watch():
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def zone_ids():
    """Ids of hosted zones begin with Z (Developer Guide, every example); moto's begin with anything."""
    from moto.route53.models import HostedZoneIdentifier

    plain = HostedZoneIdentifier.generate

    def generate(self, *rest, **named):
        return "Z" + plain(self, *rest, **named)[1:]

    HostedZoneIdentifier.generate = generate


def table_ids():
    """*TableDescription*, TableId: every table has one; moto's have none."""
    from uuid import uuid4

    from moto.dynamodb.models.table import Table

    plain = Table.describe

    def describe(self, base_key="TableDescription"):
        told = plain(self, base_key)
        self.landfast_id = getattr(self, "landfast_id", None) or str(uuid4())
        told[base_key]["TableId"] = self.landfast_id
        return told

    Table.describe = describe


def main():
    version = importlib.metadata.version("moto")
    if version != PINNED:
        sys.exit(f"the contract suites know moto {PINNED}, this is {version}: read its changes, run them, move the number")

    end_with_standard_input()
    zone_ids()
    table_ids()
    from moto.server import main as serve

    serve(["--host", "127.0.0.1", "--port", sys.argv[1]])


if __name__ == "__main__":
    main()
