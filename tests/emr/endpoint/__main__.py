"""`python -m tests.emr.endpoint`: the local EMR as a process, for demos and for other languages."""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path

from .execute import Runner, folder_logs
from .server import EmrEndpoint
from .world import Settings

_SCRATCH = Path(tempfile.gettempdir()) / "emr-endpoint"


def main() -> None:
    """Serve until Ctrl-C, and say first which variables make clients use it."""
    options = _options()
    with ExitStack() as stack:
        s3 = options.s3 or stack.enter_context(_S3())
        runner = Runner(
            folder=options.folder,
            environment=dict(os.environ),
            container_logs=folder_logs(options.yarn_logs) if options.yarn_logs else None,
        )
        settings = Settings(pace=options.pace, log_delay_s=options.log_delay, bootstrap=True)
        endpoint = EmrEndpoint(s3_endpoint=s3, runner=runner, settings=settings, port=options.port)
        emr = stack.enter_context(endpoint)
        print(f"export AWS_ENDPOINT_URL_EMR={emr.url} AWS_ENDPOINT_URL_S3={s3}", flush=True)
        print("export AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing", flush=True)
        print("export AWS_DEFAULT_REGION=us-east-1", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.emr.endpoint", description=__doc__)
    parser.add_argument("--port", type=int, default=8010, help="0: any free one")
    parser.add_argument("--s3", help="the S3 server's address; a new one of moto's if not given")
    parser.add_argument("--folder", type=Path, default=_SCRATCH, help="scratch")
    parser.add_argument("--yarn-logs", type=Path, help="a node manager's log folder")
    parser.add_argument("--pace", type=float, default=2.0, help="seconds that a transition takes")
    parser.add_argument("--log-delay", type=float, default=5.0, help="seconds until logs are in S3")
    return parser.parse_args()


class _S3:
    """moto's S3 server, while the block lasts."""

    def __enter__(self) -> str:
        from moto.server import ThreadedMotoServer

        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        host, port = self._server.get_host_and_port()
        return f"http://{host}:{port}"

    def __exit__(self, *_: object) -> None:
        self._server.stop()


if __name__ == "__main__":
    main()
