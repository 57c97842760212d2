"""The Prometheus exporter, for every object that is ``Measured``. Extra ``metrics``.

::

    from prometheus_client import start_http_server
    from cosi.api.prometheus import registry

    start_http_server(9100, registry=registry(runtime))

Each call makes its own registry: nothing is global, and two runtimes in one process have two.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from cosi.state._metrics import Measured

PREFIX = "cosi_"


class _Samples(Collector):
    """Reads the samples at every scrape."""

    def __init__(self, measured: tuple[Measured, ...]) -> None:
        self._measured = measured

    def collect(self) -> Iterator[Metric]:
        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        for measured in self._measured:
            for sample in measured.samples():
                labels = sorted(sample.labels)
                family = families.get(sample.name)
                if family is None:
                    made = CounterMetricFamily if sample.kind == "counter" else GaugeMetricFamily
                    family = made(PREFIX + sample.name, sample.help, labels=labels)
                    families[sample.name] = family
                family.add_metric([sample.labels[name] for name in labels], sample.value)
        yield from families.values()


def registry(*measured: Measured) -> CollectorRegistry:
    """A registry that exports ``measured``, read at the moment of the scrape."""
    made = CollectorRegistry()
    made.register(_Samples(measured))
    return made
