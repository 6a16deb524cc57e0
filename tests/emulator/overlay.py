"""The emulator of the integration tests: ministack, with what it lacks of CloudFormation and ECS.

Run like ministack itself; all of its environment variables work. In addition
LANDFAST_EMULATOR_DELAY=<seconds> makes every stack operation take that long, so that *_IN_PROGRESS can be seen; with
several numbers (`3,1,5`) they take turns.
It ends when its standard input does: a test process that dies takes its emulator along.

This uses private names of the package. The version is therefore pinned, and checked here: after a bump, read
ministack's changes, run the integration tests, and only then move the number.
"""

import asyncio
import importlib.metadata
import itertools
import os
import sys
import threading
import types

PINNED = "1.5.33"


def slow_down(stacks, delays):
    """Each stack operation yields once with asyncio.sleep(0) before it ends: there it waits."""
    turns = itertools.cycle(delays)
    shim = types.ModuleType("asyncio")
    shim.__dict__.update(asyncio.__dict__)

    async def sleep(seconds, *rest):
        return await asyncio.sleep(next(turns) if seconds == 0 else seconds, *rest)

    shim.sleep = sleep
    stacks.asyncio = shim


def end_with_standard_input():
    def watch():
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def main():
    version = importlib.metadata.version("ministack")
    if version != PINNED:
        sys.exit(f"overlay.py is written for ministack {PINNED}, this is {version}: see its first lines")

    import api
    import replacement
    import resources
    import scaling
    import services
    import tables
    from ministack.services.cloudformation import stacks

    resources.register()
    replacement.register()
    api.register()
    services.register()
    tables.register()
    scaling.register()
    slow_down(stacks, [float(delay) for delay in os.environ.get("LANDFAST_EMULATOR_DELAY", "0").split(",")])

    end_with_standard_input()
    from ministack.app import main as serve

    serve()


if __name__ == "__main__":
    main()
