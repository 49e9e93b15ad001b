"""50 random kills during 1,000 messages over 10 bots: none lost, none unanswered, none doubled."""

from pathlib import Path

import pytest

from tests.kill.storm import Storm, blow


@pytest.mark.kill
@pytest.mark.timeout(400)
def test_a_storm_of_kills_loses_nothing(tmp_path: Path) -> None:
    count = blow(tmp_path, Storm())
    print(count)
    assert count.lost == []
    assert count.doubled == []
    assert len(count.excused) <= 10
    assert sum(count.kills.values()) == 50
