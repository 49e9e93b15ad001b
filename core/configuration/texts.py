"""What people read when a change of the configuration is refused, in English and Russian."""

from core.configuration.errors import ConfigurationError, Problem

WHAT = {
    "bot": ("the bot", "бот"),
    "widget": ("the widget", "виджет"),
    "provider": ("the provider", "провайдер"),
    "route": ("the route", "маршрут"),
    "model": ("the model or route", "модель или маршрут"),
    "character": ("the character", "персонаж"),
    "base": ("the knowledge base", "база знаний"),
    "faq": ("the FAQ entry", "запись FAQ"),
    "document": ("the document", "документ"),
    "key": ("the key", "ключ"),
    "proxy": ("the proxy", "прокси"),
    "token": ("the token", "токен"),
    "conversation": ("the conversation", "разговор"),
    "limit": ("the limit", "лимит"),
    "instance": ("the bot or widget", "бот или виджет"),
    "attempt": ("the attempt", "попытка"),
    "preset": ("the preset", "пресет"),
    "media_route": ("the media route", "маршрут для медиа"),
    "artifact": ("the picture or video", "картинка или видео"),
}

TEXTS: dict[str, tuple[str, str]] = {
    # one field
    "missing": ("is required", "нужно заполнить"),
    "empty": ("must not be empty", "не должно быть пустым"),
    "prompt_or_messages": ("needs either a prompt or messages", "нужно что-то одно: prompt или messages"),
    "headers_again": (
        "are kept from the old address: a header may hold a secret. Remove them, save, and set them again",
        "остались от старого адреса: в заголовке может быть секрет. Уберите их, сохраните и задайте снова",
    ),
    "preset_value": (
        "must be a number, a text of at most 2000 characters, or true or false",
        "должно быть числом, текстом не длиннее 2000 знаков, true или false",
    ),
    "preset_span": (
        "needs the least and the most, in this order",
        "нужны наименьшее и наибольшее значения, в этом порядке",
    ),
    "preset_outside": ("must be from {low} to {high}", "должно быть от {low} до {high}"),
    "preset_lines": (
        "needs lines such as shift = 3, not {given}",
        "нужны строки вида shift = 3, а не {given}",
    ),
    "subject_unwanted": (
        "must be empty for a limit over all",
        "должно быть пустым, если лимит общий",
    ),
    "wrong": ("has a wrong value", "неверное значение"),
    "unknown_field": ("is not known{near}", "неизвестное имя{near}"),
    "text": ("must be a text", "должно быть текстом"),
    "boolean": ("must be true or false", "должно быть true или false"),
    "number": ("must be a number", "должно быть числом"),
    "list": ("must be a list", "должно быть списком"),
    "too_long": ("is too long: at most {limit} characters", "слишком длинно: не больше {limit} знаков"),
    "too_many": ("has too many entries: at most {limit}", "слишком много записей: не больше {limit}"),
    "too_small": ("must be at least {limit}", "должно быть не меньше {limit}"),
    "too_big": ("must be at most {limit}", "должно быть не больше {limit}"),
    "choice": ("must be one of {choices}", "должно быть одним из: {choices}"),
    "bad_characters": (
        "holds characters that are not text (a null or half of a surrogate pair)",
        "содержит недопустимые символы (нулевой или половину суррогатной пары)",
    ),
    "slug": (
        "must have 1 to 32 characters: a-z, 0-9, - and _",
        "должно состоять из 1–32 знаков: a-z, 0-9, - и _",
    ),
    "token_shape": (
        "is not a bot token: it looks like 123456789:AAH... (digits, a colon, at least 30 characters)",
        "не похоже на токен бота: он выглядит как 123456789:AAH... (цифры, двоеточие, не меньше 30 знаков)",
    ),
    "url": (
        "must be an http:// or https:// address without user, query or fragment",
        "должно быть адресом http:// или https:// без имени пользователя, запроса и якоря",
    ),
    "origin": (
        "must be an origin such as https://example.com or https://*.example.com: {given} is not",
        "должно быть источником вида https://example.com или https://*.example.com, а не {given}",
    ),
    "host": (
        "must be a host, and a port where it needs one, such as store.lan:9000: {given} is not",
        "должно быть именем узла, при нужде с портом, например store.lan:9000, а не {given}",
    ),
    "location": (
        "must be a location's name, such as us-central1: {given} is not",
        "должно быть названием региона, например us-central1, а не {given}",
    ),
    "origin_path": (
        "must be an origin without a path: write {wanted}, not {given}",
        "должно быть источником без пути: напишите {wanted}, а не {given}",
    ),
    "candidate": (
        'must be "provider:model", "provider:auto" or "knowledge": {given} is not',
        "должно быть «provider:model», «provider:auto» или «knowledge», а не {given}",
    ),
    "media_line": (
        'must be "provider:model", "provider:auto" or "auto": {given} is not',
        "должно быть «provider:model», «provider:auto» или «auto», а не {given}",
    ),
    "makes_no_media": (
        "names the provider {given}, which makes neither pictures nor videos",
        "указывает на провайдера {given}, а он не делает ни картинок, ни видео",
    ),
    "pattern": ("cannot be used: {en}", "не годится: {ru}"),
    "color": ("must be a colour such as #2563eb", "должно быть цветом вида #2563eb"),
    "key_shape": (
        "holds spaces or letters that no key has: copy it again",
        "содержит пробелы или буквы, которых в ключах не бывает: скопируйте его ещё раз",
    ),
    "proxy": (
        "must be an address with a port, such as socks5://user:password@proxy.example:1080"
        " (http, https, socks5 or socks5h)",
        "нужен адрес с портом, например socks5://user:password@proxy.example:1080"
        " (http, https, socks5 или socks5h)",
    ),
    "header": (
        "holds a header that cannot be sent: {given} (a name, and up to 1000 plain characters)",
        "содержит заголовок, который нельзя отправить: {given} (нужны имя и до 1000 простых знаков)",
    ),
    "header_reserved": (
        "must not hold {given}: Botyard sends that itself, and keys belong among the keys",
        "не должно содержать {given}: это Botyard отправляет сам, а ключам место среди ключей",
    ),
    "price_pair": ("needs both prices, or none", "нужны обе цены или ни одной"),
    "model_twice": ("names the model {given} twice", "дважды называет модель {given}"),
    "provider_kind": ("is not a known provider: {given}{near}", "неизвестный провайдер: {given}{near}"),
    "secret_again": (
        "must be entered again (or removed first), because the address changes: it goes nowhere unasked",
        "нужно ввести ещё раз (или сначала удалить): адрес меняется, а без спроса секрет никуда не уйдёт",
    ),
    "base_url_needed": (
        "is required for this kind: the address of the server, such as http://127.0.0.1:11434/v1",
        "нужно для этого вида: адрес сервера, например http://127.0.0.1:11434/v1",
    ),
    "no_such": (
        "names {what} {id}, which does not exist{near}",
        "указывает на то, чего нет: {what} {id}{near}",
    ),
    "token_used": (
        "is used by the bot {id} already: one bot, one instance",
        "уже используется ботом {id}: одному боту нужен один экземпляр",
    ),
    # the fleet file
    "file_missing": ("There is no such file. Write one: fleet.example.toml shows how.",
                     "Такого файла нет. Создайте его по образцу fleet.example.toml."),
    "file_unreadable": ("This file cannot be read: {reason}", "Этот файл не читается: {reason}"),
    "file_too_big": ("This file is larger than {limit} MB.", "Этот файл больше {limit} МБ."),
    "file_too_deep": ("This file nests too deep.", "В этом файле слишком глубокая вложенность."),
    "file_not_utf8": ("must be saved as UTF-8", "файл нужно сохранить в UTF-8"),
    "toml": ("is not TOML: {reason}", "это не TOML: {reason}"),
    "section": (
        "must be a list of tables: write [[{name}]]",
        "должно быть списком таблиц: напишите [[{name}]]",
    ),
    "unknown_section": ("is not a section of a fleet file{near}", "такого раздела в файле парка нет{near}"),
    "no_variable": ("needs the environment variable {name}, which is not set",
                    "нужна переменная окружения {name}, а она не задана"),
    "duplicate": (
        "is the same as {other}: each must differ",
        "совпадает с {other}: значения должны отличаться",
    ),
    "file_no_such": ("names {what} {id}, which this file does not have{near}",
                     "указывает на то, чего в этом файле нет: {what} {id}{near}"),
    "limit_whose": (
        "needs bot or widget: one of them alone for subject_kind \"instance\", together with subject for "
        "\"user\" and \"conversation\"; no other kind has them",
        "нужен bot или widget: один из них при subject_kind \"instance\", вместе с subject при "
        "\"user\" и \"conversation\"; у других видов их нет",
    ),
    "taken_by_panel": ("was made in the panel already: choose another id, or delete it there",
                       "уже создано в панели: выберите другой id или удалите его там"),
    "path_missing": ("names a file that does not exist: {path}", "указывает на файл, которого нет: {path}"),
    "path_unreadable": (
        "names a file that cannot be read: {reason}",
        "указывает на файл, который не читается: {reason}",
    ),
    "document": ("cannot be used: {en}", "не годится: {ru}"),
    # over HTTP
    "unauthorized": (
        "A valid token is needed: Authorization: Bearer TOKEN.",
        "Нужен действующий токен: Authorization: Bearer TOKEN.",
    ),
    "bad_json": (
        "The body is not JSON that can be read.",
        "Тело запроса — не JSON, который можно прочитать.",
    ),
    "bad_request": ("The request cannot be understood.", "Запрос не удалось понять."),
    "body_too_large": (
        "The body is too large: at most {limit} MB.",
        "Слишком большой запрос: не больше {limit} МБ.",
    ),
    "no_such_address": ("There is nothing at this address.", "По этому адресу ничего нет."),
    "no_such_method": ("This address does not take {method}.", "Этот адрес не принимает {method}."),
    "broken": (
        "Something went wrong in Botyard itself. It is in the log of the web process.",
        "Что-то сломалось в самом Botyard. Подробности — в журнале веб-процесса.",
    ),
    "no_supervisor": (
        "The supervisor does not answer, so nothing was changed. Try again in a moment.",
        "Супервизор не отвечает, ничего не изменено. Повторите чуть позже.",
    ),
    "conversation_closed": (
        "This conversation is closed: nothing can be said in it.",
        "Этот разговор закрыт: в нём уже ничего не сказать.",
    ),
    # a whole request
    "invalid": ("Some values are wrong.", "Некоторые значения неверны."),
    "not_found": ("Not found: {what} {id}.", "Не найдено: {what} {id}."),
    "taken": (
        "There is already {what} {id}: choose another id.",
        "Уже есть {what} {id}: выберите другой id.",
    ),
    "managed_by_file": (
        "This is managed by the fleet file: {what} {id}. Change it there.",
        "Этим управляет файл парка: {what} {id}. Измените его там.",
    ),
    "in_use": (
        "Still in use: {what} {id}. Used by: {users}.",
        "Ещё используется: {what} {id}. Где: {users}.",
    ),
    "no_token": ("A bot needs a token before it can start.", "Боту нужен токен, прежде чем его запустить."),
    "document_refused": ("This document cannot be read: {en}", "Этот документ не удаётся прочитать: {ru}"),
    "changed_meanwhile": (
        "Somebody else changed this at the same moment. Look again and repeat.",
        "Кто-то изменил это в тот же момент. Посмотрите ещё раз и повторите.",
    ),
}  # fmt: skip


def say(key: str, language: str, **values: object) -> str:
    """A text of the catalogue; raises KeyError for a key that does not exist."""
    english, russian = TEXTS[key]
    russian_wanted = language == "ru"
    filled = {"near": "", **values}
    if "what" in filled:
        filled["what"] = WHAT[str(filled["what"])][russian_wanted]
    if filled["near"]:
        asked = "возможно, " if russian_wanted else "did you mean "
        filled["near"] = f"; {asked}{filled['near']}?"
    return (russian if russian_wanted else english).format(**filled)


def problem_text(problem: Problem, language: str) -> str:
    """What is wrong with one field, without naming the field."""
    return say(problem.key, language, **problem.values)


def error_text(error: ConfigurationError, language: str) -> str:
    """Why a change was refused, as a sentence."""
    return say(error.key, language, **error.values)
