"""Names, titles and texts for demo data, in several languages and scripts.

Faker's words are sampled once into pools, and combined afterwards: a million texts take seconds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from math import prod
from random import Random

from faker import Faker

SENTENCE_MIN, SENTENCE_MAX = 50, 140
# So many of the longest sentences, with what joins them, have less than 2,000 characters.
SENTENCES_MAX = 14
# Sentences beyond the first, before rounding down: a text has 230 characters on average.
SENTENCES_MEAN = 2.25
POOL = 2000
RANDOM = Random()  # noqa: S311 (nothing here is a secret)
SEPARATORS = (".", "_", "-")
# Larger than any pool, and so a divisor of none: steps of it visit every combination.
PRIME = 2_147_483_647


@dataclass(frozen=True)
class Language:
    """What titles are made of, beside the places that Faker knows."""

    locale: str
    patterns: tuple[str, ...]
    topics: tuple[str, ...]


ENGLISH = Language(
    "en_US",
    (
        "A beginner's guide to {topic} in {city}",
        "How {topic} changed life in {city}",
        "What nobody tells you about {topic} in {city}",
        "Looking for people into {topic} near {city}",
        "My first year of {topic} in {city}",
        "Is {topic} still worth it in {city}?",
        "{city} through the eyes of {topic} fans",
        "Ten lessons from {topic}, learnt in {city}",
        "Why {city} needs more {topic}",
        "{topic}: notes from a weekend in {city}",
        "The quiet revival of {topic} around {city}",
        "Ask me anything about {topic} in {city}",
    ),
    (
        "allotment gardening",
        "amateur astronomy",
        "beekeeping",
        "birdwatching",
        "board games",
        "bouldering",
        "bread baking",
        "chess clubs",
        "coffee roasting",
        "cold-water swimming",
        "community radio",
        "film photography",
        "letterpress printing",
        "long-distance cycling",
        "mushroom foraging",
        "night trains",
        "open-source software",
        "pottery",
        "repair cafés",
        "street food",
        "trail running",
        "urban sketching",
        "vintage synthesizers",
        "wild camping",
    ),
)
ITALIAN = Language(
    "it_IT",
    (
        "{topic} a {city}: un'esperienza da raccontare",
        "Perché {topic} piace tanto a {city}",
        "Cinque consigli su {topic}, direttamente da {city}",
        "Chi è appassionato di {topic} vicino a {city}?",
        "{city} e {topic}, una storia d'amore",
        "Un anno di {topic} a {city}: com'è andata",
    ),
    (
        "apicoltura",
        "arrampicata",
        "astronomia",
        "ceramica",
        "ciclismo",
        "escursionismo",
        "fotografia analogica",
        "giardinaggio",
        "musica elettronica",
        "panificazione",
        "scacchi",
        "teatro",
    ),
)
FRENCH = Language(
    "fr_FR",
    (
        "Débuter : {topic} à {city}",
        "{city} et {topic}, une histoire d'amour",
        "Pourquoi {topic} séduit tant à {city}",
        "Une année de découvertes à {city} : {topic}",
        "Qui s'intéresse à ce sujet près de {city} : {topic} ?",
        "Carnet de voyage de {city}, chapitre « {topic} »",
    ),
    (
        "l'apiculture",
        "l'astronomie",
        "l'escalade",
        "la boulangerie",
        "la photographie argentique",
        "la poterie",
        "la randonnée",
        "le cyclisme",
        "le potager",
        "les échecs",
        "les jeux de société",
        "les trains de nuit",
    ),
)
RUSSIAN = Language(
    "ru_RU",
    (
        "{topic}: заметки из поездки ({city})",
        "{city}: как полюбить {topic}, если вы здесь впервые",
        "Почему {topic} снова в моде, {city}",
        "Мой первый год: {topic}, {city}",
        "{topic} для начинающих, клуб «{city}»",
        "Ищу единомышленников: {topic}, {city}",
    ),
    (
        "велопрогулки",
        "домашний хлеб",
        "лыжные походы",
        "настольные игры",
        "ночные поезда",
        "пасека и мёд",
        "плёночные фотографии",
        "птицы и бинокли",
        "старые синтезаторы",
        "шахматы",
        "ягоды и грибы",
        "яркие созвездия",
    ),
)
# By their share, in tenths.
LANGUAGES = (*[ENGLISH] * 6, RUSSIAN, RUSSIAN, FRENCH, ITALIAN)


def is_long_enough(sentence: str) -> bool:
    """Whether a sentence can be a text alone, and many of them still are not too long."""
    return SENTENCE_MIN <= len(sentence) <= SENTENCE_MAX


def sample(make: Callable[[], str], fits: Callable[[str], bool] = bool) -> list[str]:
    """Return what fits of POOL words or sentences, each once."""
    return [text for text in dict.fromkeys(make() for _ in range(POOL)) if fits(text)]


def combine(number: int, *pools: Sequence[str]) -> tuple[int, list[str]]:
    """Choose one of each pool, and count the rounds.

    Other numbers choose otherwise, until there are no combinations left and the next round
    begins. Neighbouring numbers differ in everything.
    """
    combinations = prod(map(len, pools))
    turn, number = divmod(number, combinations)
    rest = number * PRIME % combinations
    chosen = []
    for pool in pools:
        rest, index = divmod(rest, len(pool))
        chosen.append(pool[index])
    return turn, chosen


class Writer:
    """Writes posts in one language."""

    def __init__(self, language: Language) -> None:
        faker = Faker(language.locale)
        self.language = language
        self.numbers = count()
        self.cities = sample(faker.city)
        self.sentences = sample(lambda: faker.sentence(nb_words=12), is_long_enough)

    def write_title(self) -> str:
        """Return a title that was never returned before."""
        turn, (city, topic, pattern) = combine(
            next(self.numbers), self.cities, self.language.topics, self.language.patterns
        )
        title = pattern.format(topic=topic, city=city)
        title = title[0].upper() + title[1:]
        return f"{title} #{turn + 1}" if turn else title

    def write_content(self) -> str:
        """Return a text of 50 to 2,000 characters, most of them short."""
        more = int(RANDOM.expovariate(1 / SENTENCES_MEAN))
        sentences = RANDOM.choices(self.sentences, k=min(1 + more, SENTENCES_MAX))
        return (" " if more < 6 else "\n\n").join(sentences)


class Writers:
    """Writes posts in all languages."""

    def __init__(self) -> None:
        writers = {language: Writer(language) for language in set(LANGUAGES)}
        self.writers = [writers[language] for language in LANGUAGES]

    def write(self) -> tuple[str, str]:
        """Return the title and the content of a post; no other has the title."""
        writer = RANDOM.choice(self.writers)
        return writer.write_title(), writer.write_content()


class Usernames:
    """Makes usernames of first and last names."""

    def __init__(self) -> None:
        faker = Faker("en_US")
        # Letters alone, so that two pairs of names never read the same.
        self.first = sample(lambda: faker.first_name().lower(), str.isalpha)
        self.last = sample(lambda: faker.last_name().lower(), str.isalpha)

    def make(self, number: int) -> str:
        """Return a username that no other number gives."""
        turn, (first, last, separator) = combine(number, self.first, self.last, SEPARATORS)
        return f"{first}{separator}{last}{turn or ''}"
