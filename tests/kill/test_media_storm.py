"""Nothing is lost, doubled or paid for twice, whoever is killed."""

from pathlib import Path

import pytest

from tests.kill.media_storm import MediaStorm, blow

pytestmark = [pytest.mark.kill, pytest.mark.timeout(300)]


def test_a_storm_over_media(tmp_path: Path) -> None:
    storm = MediaStorm(chats=20, found=10, never=10, kills=8, workers=1, seconds=10)
    count = blow(tmp_path, storm)
    assert count.statuses.get("done", 0) + count.lost == 40, count
    assert not count.silent and not count.doubled and not count.artifacts_doubled, count
    assert count.submits_found == storm.found, count
    assert count.submits_never <= storm.never, count
    assert sum(count.kills.values()) == storm.kills, count
