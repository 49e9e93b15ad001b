"""What people read about knowledge bases: why a document or a pattern is refused, where answers come from."""

from collections.abc import Mapping

Texts = Mapping[str, Mapping[str, str]]

BAD_DOCUMENT_TEXTS: Texts = {
    "unknown_type": {
        "en": "{name}: this kind of file cannot be read. Use .md, .txt, .html or .pdf.",
        "ru": "{name}: такие файлы не читаются. Подойдут .md, .txt, .html или .pdf.",
    },
    "mismatch": {
        "en": "{name}: the name says {expected}, but the content is {found}.",
        "ru": "{name}: по имени это {expected}, а по содержимому — {found}.",
    },
    "not_text": {
        "en": "{name}: the content is not text.",
        "ru": "{name}: содержимое — не текст.",
    },
    "empty": {
        "en": "{name}: the file has no text.",
        "ru": "{name}: в файле нет текста.",
    },
    "no_text": {
        "en": "{name}: the PDF holds only pictures of pages, no text. Run it through text recognition first.",
        "ru": "{name}: в PDF только изображения страниц, без текста. Сначала распознайте текст.",
    },
    "locked": {
        "en": "{name}: the PDF is protected by a password.",
        "ru": "{name}: PDF защищён паролем.",
    },
    "broken": {
        "en": "{name}: the file is damaged or too complex to read.",
        "ru": "{name}: файл повреждён или слишком сложен для чтения.",
    },
    "too_slow": {
        "en": "{name}: reading the file took longer than {seconds} s.",
        "ru": "{name}: чтение файла заняло больше {seconds} с.",
    },
    "too_big": {
        "en": "{name}: the file is larger than {limit} MB.",
        "ru": "{name}: файл больше {limit} МБ.",
    },
    "too_long": {
        "en": "{name}: the text is longer than {limit} characters. Split the file.",
        "ru": "{name}: текст длиннее {limit} знаков. Разделите файл.",
    },
}

BAD_PATTERN_TEXTS: Texts = {
    "empty": {"en": "The question is empty.", "ru": "Вопрос пуст."},
    "unknown_match": {
        "en": "Unknown kind of match: {match}. Use exact, wildcard, regex or close.",
        "ru": "Неизвестный вид совпадения: {match}. Подойдут exact, wildcard, regex или close.",
    },
    "too_long": {
        "en": "The pattern is longer than {limit} characters.",
        "ru": "Шаблон длиннее {limit} знаков.",
    },
    "matches_all": {
        "en": "The pattern matches every message, so nothing else would ever be answered.",
        "ru": "Шаблон подходит к любому сообщению: больше ничто не получило бы ответа.",
    },
    "does_not_compile": {
        "en": "The regular expression is not valid: {reason}. "
        "Look-around and back-references are not supported.",
        "ru": "Регулярное выражение неверно: {reason}. "
        "Просмотр вперёд и назад и обратные ссылки не работают.",
    },
    "not_text": {"en": "The pattern is not valid text.", "ru": "Шаблон — не текст."},
}

ANSWER_TEXTS: Texts = {
    "source": {"en": "Source: {title}", "ru": "Источник: {title}"},
}

FOUND_TEXTS: Texts = {
    "text": {"en": "plain text", "ru": "обычный текст"},
    "markdown": {"en": "a Markdown text", "ru": "текст Markdown"},
    "html": {"en": "an HTML page", "ru": "страница HTML"},
    "pdf": {"en": "a PDF", "ru": "PDF"},
    "image": {"en": "an image", "ru": "изображение"},
    "archive": {"en": "an archive or office file", "ru": "архив или офисный файл"},
    "program": {"en": "a program", "ru": "программа"},
    "media": {"en": "sound or video", "ru": "звук или видео"},
    "database": {"en": "a database", "ru": "база данных"},
}


def worded(texts: Texts, key: str, language: str, values: Mapping[str, object]) -> str:
    """A text in the reader's language, English where there is none."""
    wordings = texts[key]
    return wordings.get(language, wordings["en"]).format(**values)
