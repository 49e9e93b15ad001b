"""The demo's knowledge base: Botyard's own documentation and a few questions, in English and Russian."""

import asyncio
import hashlib
import logging
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from core.knowledge.document_kinds import BadDocument
from core.knowledge.documents import index_faq, read_document, store_document
from db import knowledge

logger = logging.getLogger(__name__)
DEMO = "demo"  # the base's id, and the mark of what is refreshed in it
FAQS = {
    "what": (
        "What is Botyard?",
        "Botyard runs a whole fleet of Telegram bots and website chat widgets from one program. "
        "Each one is a process of its own over one shared core, with an admin panel for all of them.",
    ),
    "what-ru": (
        "Что такое Botyard?",
        "Botyard — одна программа, которая ведёт целый флот Telegram-ботов и чатов для сайтов. "
        "Каждый бот — отдельный процесс над общим ядром, а управляются все из одной панели.",
    ),
    "free-ru": (
        "Botyard бесплатный?",
        "Да: Botyard — свободная программа под лицензией Apache 2.0. Платить придётся только поставщикам "
        "моделей, если вы их подключите.",
    ),
    "free": (
        "Is Botyard free?",
        "Yes: Botyard is free software under the Apache 2.0 license. "
        "Only the vendors of models that you connect may cost money.",
    ),
    "port": (
        "How do I change the port?",
        "Set `BOTYARD_PORT` in the environment or in `.env` (the default is 8002) and start Botyard again.",
    ),
    "port-ru": (
        "Как изменить порт?",
        "Задайте `BOTYARD_PORT` в окружении или в файле `.env` (по умолчанию 8002) "
        "и запустите Botyard снова.",
    ),
    "secrets": (
        "Where are keys and tokens stored?",
        "In the database, sealed with AES-GCM. The key to them is in `BOTYARD_HOME/secret.key`, or in "
        "`BOTYARD_SECRET_KEY`; they are never written to logs.",
    ),
    "secrets-ru": (
        "Где хранятся ключи и токены?",
        "В базе данных, зашифрованными AES-GCM. Ключ к ним лежит в файле `BOTYARD_HOME/secret.key` или в "
        "`BOTYARD_SECRET_KEY`; в журналы они не попадают.",
    ),
    "bot-ru": (
        "Как добавить бота в Telegram?",
        "Напишите в Telegram боту [@BotFather](https://t.me/BotFather), отправьте `/newbot` и "
        "скопируйте токен. Затем в панели откройте «Боты», нажмите «Новый бот» и вставьте токен.",
    ),
    "widget-ru": (
        "Как поставить чат на сайт?",
        "В панели откройте «Виджеты», нажмите «Новый виджет» и укажите адрес сайта. "
        "Скопируйте готовую строку `<script>` на страницы сайта перед `</body>`.",
    ),
    "model-ru": (
        "Как подключить модель?",
        "В панели откройте «Провайдеры», добавьте провайдера с ключом (или адрес своего сервера), "
        "а затем назовите его модель в маршруте.",
    ),
    "docs-ru": (
        "Как добавить документы в базу знаний?",
        "В панели откройте «Базы знаний», выберите базу и загрузите файлы .md, .txt, .html "
        "или .pdf до 20 МБ.",
    ),
}


async def fill_demo_base(conn: AsyncConnection, docs_folder: Path) -> bool:
    """Make the demo's base, or bring what Botyard put there up to date; returns True when it changed.

    What people added themselves stays. The README is looked for beside the docs folder.
    """
    if await knowledge.get_base(conn, DEMO) is None:
        await knowledge.save_base(conn, DEMO, name="Botyard")
    files = await asyncio.to_thread(_files, docs_folder)
    changed = await _refresh_documents(conn, files)
    return await _refresh_faqs(conn) or changed


def _files(docs_folder: Path) -> list[tuple[str, bytes]]:
    paths = [docs_folder.parent / "README.md", *sorted(docs_folder.glob("*.md"))]
    return [(path.name, path.read_bytes()) for path in paths if path.is_file()]


async def _refresh_documents(conn: AsyncConnection, files: list[tuple[str, bytes]]) -> bool:
    wanted = {hashlib.sha256(data).hexdigest(): (name, data) for name, data in files if data.strip()}
    known = await knowledge.documents_of(conn, DEMO)
    old = [row for row in known if row.managed == DEMO and row.digest not in wanted]
    for row in old:
        await knowledge.delete_document(conn, row.id)
    new = wanted.keys() - {row.digest for row in known}
    for digest, (name, data) in wanted.items():
        if digest in new:
            try:
                read = await asyncio.to_thread(read_document, name, data)
            except BadDocument as error:  # Botyard starts without it
                logger.warning("the demo base goes without %s: %s", name, error)
                continue
            await store_document(conn, DEMO, read, managed=DEMO)
    return bool(old or new)


async def _refresh_faqs(conn: AsyncConnection) -> bool:
    wanted = {f"{DEMO}-{key}": words for key, words in FAQS.items()}
    known = {row.id: row for row in await knowledge.faqs_of(conn, [DEMO])}
    changed = False
    for faq_id, row in known.items():
        if row.managed == DEMO and wanted.get(faq_id) != (row.question, row.answer):
            await knowledge.delete_faq(conn, faq_id)
            changed = True
    for faq_id, (question, answer) in wanted.items():
        if faq_id not in known or (known[faq_id].question, known[faq_id].answer) != (question, answer):
            await knowledge.add_faq(
                conn, id=faq_id, base_id=DEMO, question=question, answer=answer, match="close", managed=DEMO
            )
            await index_faq(conn, faq_id, DEMO, question, answer)
            changed = True
    return changed
