"""What Botyard says in a chat about pictures and videos; part of core/texts.py."""

MEDIA_TEXTS: dict[str, dict[str, str]] = {
    "media_working_image": {"en": "I am drawing it.", "ru": "Рисую."},
    "media_working_video": {"en": "I am making the video.", "ru": "Делаю видео."},
    "media_waiting": {"en": "{ahead} before this one", "ru": "перед этим: {ahead}"},
    "media_waiting_first": {"en": "next in the queue", "ru": "следующее в очереди"},
    "media_scheduled": {"en": "begins {when}", "ru": "начнётся {when}"},
    "media_loading": {"en": "the model is being loaded", "ru": "модель загружается"},
    "media_running": {"en": "at work", "ru": "в работе"},
    "media_saving": {"en": "almost ready", "ru": "почти готово"},
    "media_left": {"en": "about {time} left", "ru": "осталось около {time}"},
    "media_seconds": {"en": "{count} s", "ru": "{count} с"},
    "media_minutes": {"en": "{count} min", "ru": "{count} мин"},
    "media_done_image": {"en": "Here it is.", "ru": "Готово."},
    "media_done_video": {"en": "Here is the video.", "ru": "Видео готово."},
    "media_cancelled": {"en": "Cancelled.", "ru": "Отменено."},
    "media_nothing_to_cancel": {
        "en": "This is finished already.",
        "ru": "Это уже завершено.",
    },
    "media_unavailable": {
        "en": "I could not make it: nobody who can was available. Please try again in a little while.",
        "ru": "Не получилось: сейчас некому это сделать. Пожалуйста, попробуйте чуть позже.",
    },
    "media_moderated": {
        "en": "I cannot make this. Please describe it differently.",
        "ru": "Я не могу это сделать. Пожалуйста, опишите иначе.",
    },
    "media_request": {
        "en": "I cannot make it like this: {why}.",
        "ru": "Так сделать не получится: {why}.",
    },
    "media_lost": {
        "en": "The connection broke while this was being made, so nobody knows whether it was made. It was "
        "not ordered twice. Press the button to try once more.",
        "ru": "Связь прервалась во время работы, и неизвестно, было ли это сделано. Второй раз заказ не "
        "отправлялся. Нажмите кнопку, чтобы попробовать ещё раз.",
    },
    "media_quarantined": {
        "en": "This request stopped the program that draws twice, so I do not try it any more. Please change "
        "it.",
        "ru": "На этом запросе программа рисования дважды остановилась, больше я его не пробую. "
        "Измените его.",
    },
    "media_expired": {
        "en": "It waited too long in the queue. Please order it again.",
        "ru": "Запрос слишком долго ждал в очереди. Закажите, пожалуйста, ещё раз.",
    },
    "media_full": {
        "en": "It was made, but there is no room left to store it. Please tell whoever runs this chat.",
        "ru": "Это сделано, но места для хранения больше нет. Сообщите об этом владельцу чата.",
    },
    "media_no_route": {
        "en": "I am not connected to a model that makes this. Please tell whoever runs this chat.",
        "ru": "Я не подключён к модели, которая это делает. Сообщите об этом владельцу чата.",
    },
    "media_no_route_image": {
        "en": "I cannot make pictures here.",
        "ru": "Здесь я не умею делать картинки.",
    },
    "media_no_route_video": {"en": "I cannot make videos here.", "ru": "Здесь я не умею делать видео."},
    "media_what": {
        "en": "What should it show? For example: /{command} a harbour at dawn",
        "ru": "Что должно быть на нём? Например: /{command} гавань на рассвете",
    },
    "media_too_long": {
        "en": "This description is too long: at most {limit} characters.",
        "ru": "Описание слишком длинное: не больше {limit} знаков.",
    },
    "media_try_on_what": {
        "en": "Send two photos in one message: first of the person, then of the garment, with the words "
        "“try it on”.",
        "ru": "Пришлите одним сообщением две фотографии: сначала человека, потом вещи, со словом «примерь».",
    },
    "media_no_try_on": {
        "en": "I cannot try clothes on here.",
        "ru": "Здесь я не умею примерять одежду.",
    },
    "media_not_yours": {
        "en": "Only who ordered this can do that.",
        "ru": "Это может сделать только тот, кто заказал.",
    },
    "media_gone": {
        "en": "This picture is not kept any more.",
        "ru": "Эта картинка больше не хранится.",
    },
    "media_elsewhere": {
        "en": "It is ready, but this chat does not take it. It is here for a week:",
        "ru": "Готово, но этот чат такое не принимает. Неделю это лежит здесь:",
    },
    "media_not_shown": {
        "en": "It is ready, but this chat does not take it. Whoever runs this chat can give it to you.",
        "ru": "Готово, но этот чат такое не принимает. Владелец чата может передать это вам.",
    },
    "media_made": {"en": "[You made a picture of: {prompt}]", "ru": "[Ты сделал картинку: {prompt}]"},
    "why_empty": {"en": "the description is empty", "ru": "описание пустое"},
    "why_long": {
        "en": "the description may have {allowed} characters",
        "ru": "описание не длиннее {allowed}",
    },
    "why_range": {"en": "{field} must be within {allowed}", "ru": "{field}: допустимо {allowed}"},
    "why_choice": {"en": "{field} can be {allowed}", "ru": "{field}: возможно {allowed}"},
    "why_task": {"en": "the models here do not do this", "ru": "модели здесь этого не умеют"},
    "why_input": {"en": "a picture is needed", "ru": "нужна картинка"},
    "why_many": {"en": "at most {allowed} pictures", "ru": "не больше {allowed} картинок"},
    "why_unknown": {"en": "{field} is not known", "ru": "{field}: нет такого параметра"},
    "why_kind": {"en": "{field} must be of the kind {allowed}", "ru": "{field}: нужен тип {allowed}"},
    "why_picture": {"en": "the picture cannot be used", "ru": "картинку нельзя использовать"},
    "why_other": {"en": "the model refused it", "ru": "модель отказала"},
    "cancel": {"en": "Cancel", "ru": "Отменить"},
    "variations": {"en": "Variations", "ru": "Варианты"},
    "upscale": {"en": "Enlarge", "ru": "Увеличить"},
    "animate": {"en": "Animate", "ru": "Оживить"},
}
