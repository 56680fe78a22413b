"""The Kubernetes suite that tests/k8s/run starts: what tarcap promises, through kubectl, in pods of its own.

Needs kubectl, an image that the cluster has, and Python's standard library. Every check is a function with the mark
@check; it raises Skip for what the cluster (or the stand-in) lacks.

Where the traffic comes from: the kubelet's readiness probes, a connection a second to a closed port of each pod. So
no other image is needed. The checks that need many packets take the web server of tests/demo (--web).
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# Each registers its checks, in this order.
import checks_ways  # noqa: F401
import checks_plugin  # noqa: F401
import checks_rights  # noqa: F401
from cluster import Skip, Suite, checks


def judge(suite, function):
    """(passed, failed or skipped; what to say about it)"""
    started = time.monotonic()
    try:
        function(suite)
        result, why = "passed", ""
    except Skip as error:
        result, why = "skipped", str(error)
    except Exception:  # whatever it is, the other checks go on
        result, why = "failed", traceback.format_exc()
    return result, f"{result.upper() if result == 'failed' else result}: {function.__name__} " \
        f"({time.monotonic() - started:.1f} s)" + (f": {why}" if why else "")


def main():
    parser = argparse.ArgumentParser(prog="tests/k8s/run")
    parser.add_argument("image")
    parser.add_argument("--web", default="")
    parser.add_argument("--keep", action="store_true", help="leave the namespaces there")
    parser.add_argument("names", nargs="*")
    given = parser.parse_intermixed_args()
    known = {function.__name__ for function in checks}
    for name in given.names:
        if name not in known:
            parser.error(f"there is no check {name}; there are: {' '.join(sorted(known))}")
    chosen = [function for function in checks if not given.names or function.__name__ in given.names]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if not shutil.which("kubectl"):
        sys.exit("tests/k8s/run: needs kubectl")
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    with tempfile.TemporaryDirectory() as directory:
        suite = Suite(given.image, given.web, Path(directory))
        print(f"cluster {suite.server}, namespace {suite.namespace}, image {suite.image}", flush=True)
        try:
            suite.set_up()
            together = [function for function in chosen if not hasattr(function, "alone")]
            with ThreadPoolExecutor(int(os.environ.get("K8S_PARALLEL", "4"))) as pool:
                outcomes = pool.map(lambda function: judge(suite, function), together)
                for result, text in outcomes:
                    counts[result] += 1
                    print(text, flush=True)
            for function in chosen:
                if hasattr(function, "alone"):
                    result, text = judge(suite, function)
                    counts[result] += 1
                    print(text, flush=True)
        finally:
            if not given.keep:
                suite.tear_down()
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**counts))
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
