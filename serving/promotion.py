"""Which policy is in force: the configured one, or one that the gate has adopted in its place."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from msgspec import ValidationError, json
from msgspec.structs import replace

from feedback_store.contract import Applied, Log, Pending
from selector.decisions import Event, ModelsChanged, PolicyChanged
from selector.policies import AnyPolicy
from selector.policy import Policy
from selector.population import Population
from serving.config import ApplicationConfig
from serving.errors import CannotAdopt

logger = logging.getLogger(__name__)


def in_force(configured: ApplicationConfig, log: Log) -> ApplicationConfig:
    """The application with the policy that was adopted last.

    It gives way as soon as the configuration names another policy than the one that it replaced, or forbids adoption.
    """
    entry = log.announcement(configured.name)
    if entry is None or not configured.adoption:
        return configured
    change = entry.event
    assert isinstance(change, PolicyChanged)
    if change.instead_of != configured.policy.settings:
        return configured
    try:
        adopted = json.decode(change.policy, type=AnyPolicy)
    except ValidationError as error:
        logger.warning("application %s: the adopted policy is unknown here, %s", configured.name, error)
        return configured
    return replace(configured, policy=adopted)


def announce(log: Log, config: ApplicationConfig, population: Population, at: float) -> None:
    """Have the log say which policy and which models are in force, where it does not yet; `population` is its fold."""
    events: list[Event] = []
    if population.announced != config.policy.settings:
        events.append(PolicyChanged(config.policy.settings))
    if population.models != config.models:
        events.append(ModelsChanged(config.models))
    for outcome in log.commit([], [Pending(config.name, None, at, event) for event in events]) if events else ():
        assert isinstance(outcome, Applied)
        population.fold(outcome.entry)


def adoption(configured: ApplicationConfig, policy: Policy[Any], evidence: str) -> PolicyChanged:
    """The event by which a policy takes the place of the configured one."""
    return PolicyChanged(policy.settings, instead_of=configured.policy.settings, evidence=evidence)


def check_adoptable(configured: ApplicationConfig, policies: Iterable[Policy[Any]]) -> None:
    """Raise CannotAdopt where the configuration does not let one of these policies be adopted."""
    if not configured.adoption:
        raise CannotAdopt(f"[applications.{configured.name}] has adoption = false")
    for policy in policies:
        if configured.blend is not None and not policy.per_user:
            raise CannotAdopt(f"{policy.name!r} keeps no state for each user, which the hook `blend` needs")
