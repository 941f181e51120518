"""An open-loop HTTP load that finds every request a deployment loses.

k6, vegeta and hey silently send a GET again when a kept-alive connection is closed under it, as
net/http of Go does, and oha, wrk and h2load do not look at who answered: each hides losses that
this one counts. Nor can any be told, while it runs, which version may answer from now on.

    load = Load(url="http://127.0.0.1:8000", flows=mixed_flows(900), name="demo")
    async with running(load) as run:
        run.allow("v1")
        ...
    report = run.report()

A request is due at its time whether or not the earlier ones were answered, its latency counts from
then, and it ends in exactly one way: `ok`, or one of the failures of `Kind`. A request that was
lost is not sent again, so whatever a client without retries would suffer is in the report.
"""

from tests.support.load.plan import Flow, Load, mixed_flows
from tests.support.load.report import Failure, Kind, Latency, Report
from tests.support.load.run import Run, running

__all__ = ["Failure", "Flow", "Kind", "Latency", "Load", "Report", "Run", "mixed_flows", "running"]
