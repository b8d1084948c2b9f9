"""What Prometheus reads: the plain counts of applications, models and caches, collected when asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Protocol, get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from selector.decisions import HealthState
from serving.measures import LATENCY_BUCKETS

if TYPE_CHECKING:
    from serving.application import Application
    from serving.models import Model


class Measured(Protocol):
    """A service, as far as metrics read it."""

    @property
    def ready(self) -> bool:
        """Whether queries are admitted."""

    @property
    def applications(self) -> Mapping[str, Application]:
        """By name."""

    @property
    def models(self) -> Mapping[str, Model]:
        """By key."""


class ServiceCollector(Collector):
    """Everything measured of a service, under `windjammer_*`."""

    def __init__(self, service: Measured) -> None:
        self._service = service

    def collect(self) -> Iterable[Metric]:
        """All metrics, as they stand now."""
        yield GaugeMetricFamily("windjammer_ready", "1 if queries are admitted.", float(self._service.ready))
        yield from _applications(self._service.applications.values())
        yield from _models(self._service.models.values())


def _applications(applications: Iterable[Application]) -> Iterator[Metric]:
    applications = list(applications)
    read: list[tuple[str, str, Callable[[Application], float]]] = [
        ("answers", "Queries answered, default outputs included.", lambda a: a.measures.answers),
        ("defaults", "Queries answered with the default output.", lambda a: a.measures.defaults),
        ("sure", "Answers marked sure.", lambda a: a.measures.sure),
        ("unsure", "Answers marked unsure.", lambda a: a.measures.unsure),
        ("errors", "Queries that got an error instead of an answer.", lambda a: a.measures.errors),
        ("refused", "Calls refused because the server was shutting down.", lambda a: a.measures.refused),
        ("feedback_applied", "Feedback joined with its decisions.", lambda a: a.measures.applied),
        ("feedback_duplicate", "Feedback that had been joined before.", lambda a: a.measures.duplicates),
        ("feedback_conflict", "Feedback that contradicted what had been joined.", lambda a: a.measures.conflicts),
        ("feedback_skipped", "Feedback that the loss could not take.", lambda a: a.knowledge.population.skipped),
        ("hook_failures", "Queries for which a hook failed.", lambda a: a.hooks.failures),
        ("cache_hits", "Predictions answered from the cache.", lambda a: a.cache.hits),
        ("cache_misses", "Predictions asked of a model.", lambda a: a.cache.misses),
        ("cache_joined", "Predictions that joined the same input in flight.", lambda a: a.cache.joined),
    ]
    for name, about, value in read:
        counter = CounterMetricFamily(f"windjammer_{name}", about, labels=["application"])
        for application in applications:
            counter.add_metric([application.name], value(application))
        yield counter
    under_way = GaugeMetricFamily("windjammer_under_way", "Calls not answered yet.", labels=["application"])
    position = GaugeMetricFamily("windjammer_log_position", "Position folded last.", labels=["application"])
    latency = HistogramMetricFamily("windjammer_latency_seconds", "From query to answer.", labels=["application"])
    for application in applications:
        measures = application.measures
        under_way.add_metric([application.name], application.under_way)
        position.add_metric([application.name], application.knowledge.population.position)
        bounds = [*map(str, LATENCY_BUCKETS), "+Inf"]
        buckets = list(zip(bounds, accumulate(measures.latency_counts), strict=True))
        latency.add_metric([application.name], buckets, measures.latency_sum)
    yield from (under_way, position, latency)
    yield from _health(applications)
    yield from _spending(applications)


def _health(applications: Iterable[Application]) -> Iterator[Metric]:
    labels = ["application", "model", "state"]
    health = GaugeMetricFamily("windjammer_model_health", "1 for the state that the model is in.", labels=labels)
    changes = CounterMetricFamily("windjammer_health_changes", "Changes to this state.", labels=labels)
    for application in applications:
        for model in application.models:
            for state in get_args(HealthState):
                health.add_metric([application.name, model, state], application.health.state(model) == state)
                changes.add_metric([application.name, model, state], application.health.changes[model, state])
    yield from (health, changes)


def _spending(applications: Iterable[Application]) -> Iterator[Metric]:
    labels = ["application", "model"]
    counts = CounterMetricFamily("windjammer_predictions", "Predictions behind answers and examples.", labels=labels)
    costs = CounterMetricFamily("windjammer_cost", "What these took, as reported or else configured.", labels=labels)
    for application in applications:
        for model, count in application.spending.counts.items():
            counts.add_metric([application.name, model], count)
            costs.add_metric([application.name, model], application.spending.totals[model])
    yield from (counts, costs)


def _models(models: Iterable[Model]) -> Iterator[Metric]:
    models = list(models)
    counts: list[tuple[str, str, Callable[[Model], float]]] = [
        ("batches", "Batches sent to workers.", lambda m: m.counters.batches),
        ("queries", "Queries sent to workers.", lambda m: m.counters.queries),
        ("service_seconds", "Time that workers took for their batches.", lambda m: m.counters.seconds),
        ("expired", "Queries whose deadline passed in the queue.", lambda m: m.counters.expired),
        ("overloaded", "Queries refused at the door of the queue.", lambda m: m.counters.refused),
        ("failed", "Queries that a model failed to answer.", lambda m: m.counters.failed),
        ("retried", "Queries sent again because a worker was lost.", lambda m: m.counters.retried),
    ]
    for name, about, value in counts:
        counter = CounterMetricFamily(f"windjammer_model_{name}", about, labels=["model"])
        for model in models:
            counter.add_metric([model.key], value(model))
        yield counter
    up = GaugeMetricFamily("windjammer_model_replicas", "Workers that are up.", labels=["model"])
    waiting = GaugeMetricFamily("windjammer_model_waiting", "Queries in the queue.", labels=["model"])
    limit = GaugeMetricFamily("windjammer_model_batch_limit", "Most rows of a batch now.", labels=["model", "replica"])
    for model in models:
        up.add_metric([model.key], len(model.limits))
        waiting.add_metric([model.key], model.waiting)
        for replica, rows in model.limits.items():
            limit.add_metric([model.key, replica], rows)
    yield from (up, waiting, limit, _batch_sizes(models))


def _batch_sizes(models: Iterable[Model]) -> Metric:
    sizes = HistogramMetricFamily("windjammer_model_batch_size", "Rows of a batch.", labels=["model"])
    for model in models:
        counts = model.counters.sizes
        bounds = [*(str(float(2**k)) for k in range(len(counts) - 1)), "+Inf"]
        sizes.add_metric([model.key], list(zip(bounds, accumulate(counts), strict=True)), model.counters.queries)
    return sizes
