"""What the page on replays shows is true: its file is replayed, its questions are asked."""

import asyncio
import json
import re
from pathlib import Path

import pytest
from sqlalchemy import text

from orderly.replay.run import replay
from orderly.settings import PREFIX, Settings
from persistence.database import Database

PAGE = (Path(__file__).parents[2] / "docs" / "replay.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def replayed(tmp_path: Path) -> Settings:
    file = tmp_path / "invoices.csv"
    file.write_text(blocks("csv")[0])
    settings = Settings(database_url=f"sqlite:///{tmp_path / 'replay.db'}")
    assert replay(file, settings, json=True, progress=False)
    return settings


def test_the_file_of_the_page_comes_to_what_the_page_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replayed(tmp_path)
    assert json.loads(capsys.readouterr().out)["states"] == json.loads(blocks("json")[0])


async def answers(settings: Settings) -> list[list[tuple[object, ...]]]:
    database = Database(settings.database_url)
    try:
        return [
            await database.read(lambda connection, asked=asked: [tuple(row) for row in connection.execute(text(asked))])
            for asked in blocks("sql")
        ]
    finally:
        await database.close()


async def test_the_questions_of_the_page_have_answers(tmp_path: Path) -> None:
    settings = await asyncio.to_thread(replayed, tmp_path)
    assert await answers(settings) == [
        [("500002", "credit note C500008", "refunded", 500)],
        [("GBP", 3500, 1500)],
    ]


@pytest.mark.parametrize("name", re.findall(rf"`{PREFIX}(\w+)`", PAGE))
def test_every_setting_that_the_page_names_exists(name: str) -> None:
    group, _, field = name.partition("__")
    settings = Settings()
    assert hasattr(getattr(settings, group.lower()), field.lower()) if field else hasattr(settings, group.lower())
