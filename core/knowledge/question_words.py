"""Words of questions that say little or nothing of what is asked."""

from core.knowledge.stems import stem

_LIGHT = """
add build change check create explain find happen kind know look make mean show see set start possible stop
take thing try turn use work good best new help problem question tell type put
write need
возможно выбрать делать добавить изменить использовать найти начать настроить подключить поменять помощь
помочь показать понять посмотреть проблема работать работает работают сделать создать узнать установить
хороший новый вопрос бывает поставить написать происходит
"""
_PLEASANTRIES = """
afternoon bye cool day evening fine goodbye good great hello hey hi how morning night nice ok okay see sorry
thank thanks thx well welcome yes no are is it you there very much many the a to meet later what up going
things s
благодарю большое вам вас вечер вечера всем все всего где ага да день добрый доброе доброго дела до здравствуй
здравствуйте здорово как ладно нет ночи окей ок отлично пока понял поняла понятно привет рад салют свидания
спасибо супер ты вы тебе утро утра хай хорошо хорошего дня извините
"""
LIGHT_STEMS = frozenset(map(stem, _LIGHT.split()))
PLEASANTRIES = frozenset(_PLEASANTRIES.split())
