"""What Botyard itself says in a chat, in the reader's language."""

from core.media_texts import MEDIA_TEXTS

LANGUAGES = ("en", "ru")

TEXTS: dict[str, dict[str, str]] = {
    **MEDIA_TEXTS,
    "greeting": {
        "en": "Hello! Ask me anything.",
        "ru": "Здравствуйте! Задайте мне вопрос.",
    },
    "help": {
        "en": "Just write what you want to know.\n\n/new: start a new conversation\n"
        "/retry: answer the last question again\n/stop: stop the answer that is being written\n"
        "/length: shorter or longer answers in this conversation\n/help: this text",
        "ru": "Просто напишите, что вы хотите узнать.\n\n/new: начать новый разговор\n"
        "/retry: ответить на последний вопрос ещё раз\n/stop: остановить ответ\n"
        "/length: короче или длиннее отвечать в этом разговоре\n/help: эта справка",
    },
    "new": {
        "en": "A new conversation has begun. What would you like to know?",
        "ru": "Начат новый разговор. Что вы хотите узнать?",
    },
    "nothing_to_stop": {
        "en": "No answer is being written at the moment.",
        "ru": "Сейчас нет ответа, который можно остановить.",
    },
    "nothing_to_retry": {
        "en": "There is no question to answer again yet.",
        "ru": "Пока нет вопроса, на который можно ответить ещё раз.",
    },
    "stopped": {"en": "Stopped.", "ru": "Остановлено."},
    "unknown_command": {
        "en": "I do not know this command. /help shows what I can do.",
        "ru": "Я не знаю такой команды. /help покажет, что я умею.",
    },
    "unknown": {
        "en": "I do not know the answer to this. Please try other words.",
        "ru": "Я не знаю ответа на этот вопрос. Попробуйте спросить другими словами.",
    },
    "unavailable": {
        "en": "I cannot answer right now. Please try again in a little while.",
        "ru": "Сейчас я не могу ответить. Пожалуйста, попробуйте чуть позже.",
    },
    "moderated": {
        "en": "I cannot answer this request. Please put it differently.",
        "ru": "Я не могу ответить на такой запрос. Пожалуйста, сформулируйте его иначе.",
    },
    "no_route": {
        "en": "I am not connected to a model yet. Please tell whoever runs this chat.",
        "ru": "Я ещё не подключён к модели. Сообщите об этом владельцу чата.",
    },
    "too_long": {
        "en": "This message is too long: {length} characters, at most {limit}. Please shorten it.",
        "ru": "Сообщение слишком длинное: {length} знаков, можно не больше {limit}. Сократите его.",
    },
    "failed": {
        "en": "Something went wrong with this message. Please send it again.",
        "ru": "С этим сообщением что-то пошло не так. Пожалуйста, отправьте его ещё раз.",
    },
    "cannot_see": {
        "en": "I cannot look at pictures here. Please describe in words what they show.",
        "ru": "Здесь я не умею смотреть картинки. Пожалуйста, опишите словами, что на них.",
    },
    "picture_lost": {
        "en": "[A picture was sent here, but it could not be loaded.]",
        "ru": "[Здесь была отправлена картинка, но загрузить её не удалось.]",
    },
    "picture_earlier": {"en": "[A picture]", "ru": "[Картинка]"},
    "length": {
        "en": "Answers in this conversation: {length}. To change it, choose one, or write "
        "/length short, medium, long, very_long or reset.",
        "ru": "Ответы в этом разговоре: {length}. Чтобы изменить, выберите другое или напишите "
        "/length short, medium, long, very_long или reset.",
    },
    "length_set": {
        "en": "From the next message on, answers in this conversation: {length}.",
        "ru": "Со следующего сообщения ответы в этом разговоре: {length}.",
    },
    "length_short": {"en": "short", "ru": "короткие"},
    "length_medium": {"en": "medium", "ru": "средние"},
    "length_long": {"en": "long", "ru": "длинные"},
    "length_very_long": {"en": "very long", "ru": "очень длинные"},
    "length_reset": {"en": "as usual", "ru": "как обычно"},
    "over_limit": {
        "en": "The limit for now is used up. You can go on {when}.",
        "ru": "Лимит на сейчас исчерпан. Продолжить можно {when}.",
    },
    "over_limit_pictures": {
        "en": "That is more pictures than the limit leaves for now. You can go on {when}.",
        "ru": "Столько картинок лимит сейчас не позволяет. Продолжить можно {when}.",
    },
    "over_limit_videos": {
        "en": "That is more videos than the limit leaves for now. You can go on {when}.",
        "ru": "Столько видео лимит сейчас не позволяет. Продолжить можно {when}.",
    },
    "too_long_for_models": {
        "en": "This is too long for me: about {size} tokens, and I can read {largest}. Please shorten it, or "
        "begin anew with /new.",
        "ru": "Это слишком длинно для меня: около {size} токенов, а прочесть я могу {largest}. Сократите "
        "сообщение или начните заново: /new.",
    },
    "when_later": {"en": "later", "ru": "позже"},
    "when_seconds": {"en": "in a minute", "ru": "через минуту"},
    "when_minutes": {"en": "in {count} min", "ru": "через {count} мин"},
    "when_hours": {"en": "in {count} h", "ru": "через {count} ч"},
    "when_day": {"en": "on {date} at {time} UTC", "ru": "{date} в {time} (UTC)"},
    "retry": {"en": "Try again", "ru": "Ещё раз"},
    "stop": {"en": "Stop", "ru": "Стоп"},
    "thoughts": {"en": "How I thought", "ru": "Ход мысли"},
}


def language_of(code: str) -> str:
    """The catalogue's language for a code such as "ru-RU"; English when there is none."""
    short = code[:2].lower()
    return short if short in LANGUAGES else "en"


def text(key: str, language: str, **values: object) -> str:
    """A text in a language; raises KeyError for a key that does not exist."""
    entry = TEXTS[key]
    return entry.get(language, entry["en"]).format(**values)
