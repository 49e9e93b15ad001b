"""Words as the search and the FAQ see them: lower-cased, ё folded to е, stemmed for their language."""

import importlib
import importlib.util
import re
import sys
import threading
import unicodedata
from functools import lru_cache
from types import ModuleType
from typing import Any

LONGEST_WORD = 40  # longer runs are hashes, addresses or noise: kept as their beginning, not stemmed
_WORD = re.compile(r"[^\W_]+")
_CYRILLIC = re.compile("[а-я]")
_LATIN = re.compile("[a-z]")
_LIGHT_PACKAGE = "botyard_snowball"

_ENGLISH = """
a about all also am an and any are as at be because been but by can could did do does doing don for from
get give had has have having he hello her here hey hi him his how i if in into is it its just kindly let
like ll may me might mine much must my need of on or our out over own please pls re s shall she should
so some t tell than thank thanks that the their them then there these they this those through to too
under up us ve very want was way we were what when where which while who whom whose why will wish with
would you your yours
"""
_RUSSIAN = """
а без бы был была были было быть в вам вами вас ваш ваша ваше ваши весь во вот все всего всех вы где да
для до его ее ей ему если есть еще же за здравствуйте зачем и из или им их к как какая какие каким какой
какое когда которая которые который кто куда ли либо меня мне мной могу можем может можете можно мой моя
мое мои мы на над надо нам нами нас наш наша наше наши него нее ней нем нему ним них но ну нужна нужно
нужен о об он она они оно от откуда очень по под подскажите пожалуйста подскажи почему при привет про
расскажи расскажите с сам свой своя свое свои себе себя сколько со спасибо так такая также такие такое
такой там те тебе тебя тем то тобой тогда того тоже той только том тот ту ты у уже хотел хотела хочу
хотим чего чем через что чтобы эта эти это этой этом этот эту я является
"""
STOP_WORDS = frozenset(f"{_ENGLISH} {_RUSSIAN}".split())


def fold(text: str) -> str:
    """The text in one form of each letter: NFKC, lower case, е for ё."""
    return unicodedata.normalize("NFKC", text).lower().replace("ё", "е")


def words(text: str) -> list[str]:
    """The folded words of a text, stop words too."""
    return _WORD.findall(fold(text))


def stems(text: str) -> list[str]:
    """Stems of a text's words in their order, without stop words."""
    return [stem(word) for word in words(text) if word not in STOP_WORDS]


@lru_cache(maxsize=4096)
def stem(word: str) -> str:
    """The stem of one folded word; its letters tell the language."""
    if len(word) > LONGEST_WORD:
        return word[:LONGEST_WORD]
    if _CYRILLIC.search(word):
        return _SNOWBALL.stem("russian", word)
    return _SNOWBALL.stem("english", word) if _LATIN.search(word) else word


class _Snowball:
    """Two of Snowball's stemmers. They keep their word in themselves, so one thread at a time."""

    def __init__(self) -> None:
        package = ModuleType(_LIGHT_PACKAGE)
        spec = importlib.util.find_spec("snowballstemmer")
        if spec is None or spec.submodule_search_locations is None:
            raise ModuleNotFoundError("snowballstemmer is not installed")
        # Importing snowballstemmer itself loads 33 languages: 10 MB and 0.2 s more in each process.
        package.__path__ = spec.submodule_search_locations
        sys.modules[_LIGHT_PACKAGE] = package
        self._stemmers = {"english": self._load("english"), "russian": self._load("russian")}
        self._lock = threading.Lock()

    def stem(self, language: str, word: str) -> str:
        """The stem of a word in a language."""
        with self._lock:
            return str(self._stemmers[language].stemWord(word))

    @staticmethod
    def _load(language: str) -> Any:
        module = importlib.import_module(f"{_LIGHT_PACKAGE}.{language}_stemmer")
        return getattr(module, f"{language.capitalize()}Stemmer")()


_SNOWBALL = _Snowball()
