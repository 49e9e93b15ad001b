"""What a widget says when it refuses a request, in the visitor's language."""

TEXTS: dict[str, tuple[int, str, str]] = {
    "origin_refused": (
        403,
        "This website is not on the widget's list of websites.",
        "Этого сайта нет в списке сайтов виджета.",
    ),
    "no_visitor": (
        401,
        "The visitor's token is missing or not valid. Get a new one.",
        "Нет действительного токена посетителя. Получите новый.",
    ),
    "not_found": (404, "There is no such address.", "Такого адреса нет."),
    "no_widget": (
        404,
        "There is no such widget, or it is stopped.",
        "Такого виджета нет, или он остановлен.",
    ),
    "wrong_method": (405, "This address does not take this method.", "Этот адрес не принимает такой метод."),
    "too_large": (413, "The request is too large.", "Слишком большой запрос."),
    "bad_json": (400, "The request is not a JSON object.", "Запрос не является объектом JSON."),
    "bad_key": (
        400,
        "The Idempotency-Key header must be 8 to 40 letters, digits or hyphens.",
        "В заголовке Idempotency-Key должно быть от 8 до 40 латинских букв, цифр или дефисов.",
    ),
    "bad_text": (
        400,
        "The text holds characters that cannot be stored (half a surrogate pair or a NUL).",
        "В тексте есть символы, которые нельзя сохранить (половина суррогатной пары или NUL).",
    ),
    "no_picture": (
        404,
        "This picture is not kept here any more.",
        "Этой картинки здесь больше нет.",
    ),
    "not_a_picture": (
        415,
        "This is not a picture that can be sent: PNG, JPEG, WebP or GIF, up to {limit} MB.",
        "Такую картинку нельзя отправить: подходят PNG, JPEG, WebP и GIF до {limit} МБ.",
    ),
    "many_pictures": (
        400,
        "At most {limit} pictures go with one message.",
        "С одним сообщением можно отправить не больше {limit} картинок.",
    ),
    "pictures_full": (
        507,
        "There is no room for more pictures here at the moment. Please describe it in words.",
        "Сейчас здесь нет места для новых картинок. Пожалуйста, опишите её словами.",
    ),
    "no_text": (400, "The message is empty.", "Сообщение пустое."),
    "too_long": (
        413,
        "The message is too long: {length} characters, at most {limit}. Please shorten it.",
        "Сообщение слишком длинное: {length} знаков, можно не больше {limit}. Сократите его.",
    ),
    "too_many": (
        429,
        "Too many requests. Please try again in {after} s.",
        "Слишком много запросов. Попробуйте через {after} с.",
    ),
    "unavailable": (
        503,
        "The chat is starting or stopping. Please try again in a moment.",
        "Чат запускается или останавливается. Попробуйте через мгновение.",
    ),
    "failed": (500, "Something went wrong. Please try again.", "Что-то пошло не так. Попробуйте ещё раз."),
}


class Refused(Exception):
    """A request that is not served; `code` is a key of TEXTS, `values` fill its text."""

    def __init__(self, code: str, after: float = 0.0, **values: object) -> None:
        super().__init__(code)
        self.code = code
        self.after = max(1, round(after + 0.499)) if after else 0
        self.values = {"after": self.after, **values}

    @property
    def status(self) -> int:
        """The HTTP status."""
        return TEXTS[self.code][0]

    def body(self, language: str) -> dict[str, dict[str, str]]:
        """The JSON of the answer."""
        _, english, russian = TEXTS[self.code]
        text = russian if language == "ru" else english
        return {"error": {"code": self.code, "message": text.format(**self.values)}}
