"""Nothing is lost, doubled or paid for twice, whoever is killed."""

from pathlib import Path

import pytest

from tests.kill.media_storm import MediaStorm, blow

pytestmark = [pytest.mark.kill, pytest.mark.timeout(300)]


def test_a_storm_over_media(tmp_path: Path) -> None:
    storm = MediaStorm(chats=40, found=20, never=20, kills=10, workers=1, seconds=15)
    count = blow(tmp_path, storm)
    assert count.statuses.get("done", 0) + count.lost == 80, count
    assert not count.silent and not count.doubled and not count.artifacts_doubled, count
    assert count.submits_found == storm.found, count
    assert count.submits_never <= storm.never, count
    assert sum(count.kills.values()) == storm.kills, count
