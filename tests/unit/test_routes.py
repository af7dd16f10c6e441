from __future__ import annotations

import pytest

from reconciler.core.routes import is_received
from reconciler.model.notification import News, NotificationSeverity
from reconciler.model.operator import NotifySink
from reconciler.model.reason import Reason
from tests.support.news_cases import a_notification

NEWS = News(
    a_notification(reason=Reason.JOB_FAILED, severity=NotificationSeverity.ERROR),
    labels=({"team": "search"}, {"team": "support", "env": "prod"}),
)


def test_pagerduty_receives_only_problems() -> None:
    pager = NotifySink.model_validate({"name": "a", "type": "pagerduty", "key": {"env": "X"}})

    assert not is_received(pager, NEWS)
    assert is_received(pager, News(a_notification(problem="msg_p")))


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        ([], True),
        ([{}], True),
        ([{"selector": "team=support"}], True),
        ([{"selector": "team=support,env=prod"}], True),
        ([{"selector": "team=search,env=prod"}], False),
        ([{"kind": "BatchJob"}], False),
        ([{"kind": "FineTuningJob", "severities": ["error"]}], True),
        ([{"severities": ["info", "warning"]}], False),
        ([{"reasons": ["JobFailed"]}], True),
        ([{"reasons": ["Cancelled"]}, {"severities": ["error"]}], True),
        ([{"reasons": ["Cancelled"], "severities": ["error"]}], False),
    ],
)
def test_a_sink_receives_what_matches_every_field_of_one_of_its_routes(
    routes: list[dict[str, object]], *, expected: bool
) -> None:
    where = {"env": "X"}
    sink = NotifySink.model_validate(
        {"name": "a", "type": "webhook", "url": where, "secret": where, "routes": routes}, by_alias=True
    )

    assert is_received(sink, NEWS) is expected
