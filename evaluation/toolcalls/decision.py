"""Which of the four decisions a completion takes: to call, to ask, to decline, or to answer.

Calls decide by themselves. Text is judged by its wording, sentence by sentence (`wording` holds the words):

1. A sentence **asks** if it is a question, tells the user to hand something over ("Please provide …"), or is
   a question without its mark ("In what city"). It only **offers** if the question proposes what comes next
   ("Would you like me to …?"). A courtesy ("Anything else?"), a rhetorical question and an echo of the user's
   words ("Certificates?") do neither.
2. It **lacks** something if it says what the assistant needs, or what is missing, unsaid or unclear.
3. It **declines** if it says that the assistant cannot, may not, or has not what it takes: "I can't", "none
   of my tools", "beyond my reach", "not possible here". "You cannot return it" denies nothing of the
   assistant's own. An inability that the user can lift ("I can't book it without a date") is **liftable**.
4. What weighs most decides the text. Asking and a liftable inability make it `request_for_info`; else
   declining makes it `cannot_answer`; else a lack, or an offer with no answer before it, `request_for_info`;
   else an apology `cannot_answer`; and what is left is `direct`.

The rule reads English, and the commonest forms of Chinese, Korean, Japanese, Spanish, French and German. It
is a heuristic; docs/decisions/0008-decisions-by-wording.md says how far it can be trusted.
"""

from __future__ import annotations

import re

from evaluation.toolcalls import wording
from evaluation.toolcalls.completion import Completion
from evaluation.toolcalls.wording import has

DECISIONS = ("tool_call", "request_for_info", "cannot_answer", "direct")
MALFORMED = "malformed_call"

# A text's decision shows in its first sentences; reading on would cost time on padded outputs.
MAX_CHARACTERS_READ = 4000
# Of a long text (steps, an essay) the beginning and the end speak to the user; what lies between is matter.
MAX_SENTENCES_READ = 8
FIRST_SENTENCES = 4
LAST_SENTENCES = 2
MAX_WORDS_OF_ECHO = 4
MAX_WORDS_OF_FRAGMENT = 5
MAX_WORDS_OF_PLEA = 7

# An act and the decision that a text takes for it, the weightiest first.
_BY_WEIGHT = (
    ("ask", "request_for_info"),
    ("liftable", "request_for_info"),
    ("decline", "cannot_answer"),
    ("lack", "request_for_info"),
    ("apology", "cannot_answer"),
)
_AFTER_WHICH_AN_OFFER_ASKS_NOTHING = frozenset(("answer", "decline", "apology"))

_TYPOGRAPHY = str.maketrans(
    {"’": "'", "‘": "'", "“": '"', "”": '"', "…": ".", "—": ",", "。": ". ", "？": "? ", "！": "! "}
)
# Patterns are kept as text: `re` compiles them at their first use, so that importing the grader stays cheap.
_QUOTATION = r'"[^"\n]{1,80}"'
_SENTENCE_END = r"(?<=[.!?])[\s)]+|\n+"
# "For how many people are you …": a preposition, a question word, a few nouns, a verb before its subject.
_INVERSION = (
    r" (?:and |or |but |in |at |on |for |from |to |by |under |with |of |until |since )*"
    r"(?:(?:what|where|when|who|how) (?:is|are|was|were)|(?:what|which|where|when|who|whom|whose|how)"
    r"(?: (?!you |i |he |she |it |they |the |a |this |that |your |my )\w+){0,4}?"
    r" (?:do|does|did|would|will|can|could|should|shall|have|has|are)) "
    r"(?:you|your|i|the|he|she|it|they|this|that|there|his|her|my) "
)


def decision_of(completion: Completion) -> str:
    """Classify a completion: one of DECISIONS, or `malformed_call`.

    A completion without calls and without text takes no decision at all and is malformed too.

    >>> decision_of(Completion(text="In which city should I look?"))
    'request_for_info'
    """
    if completion.error is not None:
        return MALFORMED
    if completion.calls:
        return "tool_call"
    return decision_of_text(completion.text) if completion.text.strip() else MALFORMED


def decision_of_text(text: str) -> str:
    """Classify a text that holds no call, by the rule at the top of this module.

    >>> decision_of_text("I can't book flights. Would you like me to look one up instead?")
    'cannot_answer'
    """
    sentences = _sentences(text)
    acts = {_act(sentence, alone=len(sentences) == 1) for sentence in sentences}
    if "offer" in acts and _AFTER_WHICH_AN_OFFER_ASKS_NOTHING.isdisjoint(acts):
        return "request_for_info"
    return next((decision for act, decision in _BY_WEIGHT if act in acts), "direct")


def _sentences(text: str) -> list[str]:
    """Split the part that is read into lower-case sentences, without code and quotations."""
    read = text[:MAX_CHARACTERS_READ].translate(_TYPOGRAPHY).lower().strip()
    if "```" in read:
        read = "\n".join(read.split("```")[::2])
    if '"' in read:
        whole = read.count('"') == 2 and read.startswith('"') and read.endswith('"')
        read = read.strip('"') if whole else re.sub(_QUOTATION, '"', read)
    sentences = [part for part in (part.strip(" \t\"'*_") for part in re.split(_SENTENCE_END, read)) if part]
    if len(sentences) > MAX_SENTENCES_READ:
        return sentences[:FIRST_SENTENCES] + sentences[-LAST_SENTENCES:]
    return sentences


def _act(sentence: str, *, alone: bool) -> str:
    """What a sentence does: ask, offer, lack, decline, liftable, apology, courtesy or answer."""
    plain = wording.plain_form(sentence)
    words = plain.split()
    foreign = "" if sentence.isascii() else sentence.replace(" ", "")
    inability = _inability(plain, foreign, words)
    if not _is_courtesy(plain, foreign):
        request = _request(sentence, plain, foreign, words, alone=alone)
        if request == "ask" or (request and not inability):
            return request
        if not inability:
            return _remark(plain, words)
    return inability or "courtesy"


def _remark(plain: str, words: list[str]) -> str:
    if has(plain, wording.APOLOGIES) and not has(plain, wording.REGRETS):
        return "apology"
    if has(plain, wording.HINTS) and " if " not in plain:
        return "apology"
    empty = not words or (len(words) == 1 and words[0] in wording.ACKNOWLEDGMENTS)
    return "courtesy" if empty or has(plain, wording.PROMISES) else "answer"


def _is_courtesy(plain: str, foreign: str) -> bool:
    if plain.startswith(wording.COURTESIES_AT_THE_START):
        return True
    if has(plain, wording.COURTESIES):
        return " please specify " not in plain and " please confirm " not in plain
    return has(plain, wording.LATIN_COURTESIES) or has(foreign, wording.ASIAN_COURTESIES)


def _request(sentence: str, plain: str, foreign: str, words: list[str], *, alone: bool) -> str:
    """Whether a sentence asks, offers or lacks something: the act, or nothing."""
    if sentence.endswith(("?", "?!")):
        return _question(plain, words, alone=alone)
    if _orders(plain, words) or (not sentence.endswith("!") and _is_unmarked_question(plain, words)):
        return "ask"
    if has(plain, wording.LATIN_REQUESTS) or has(foreign, wording.ASIAN_REQUESTS):
        return "ask"
    return "lack" if _lacks(plain) else ""


def _question(plain: str, words: list[str], *, alone: bool) -> str:
    """A question is put to the user, unless it proposes, answers itself or echoes the user's own words."""
    if words and words[0] in wording.ACKNOWLEDGMENTS:
        plain = f" {' '.join(words[1:])} "
    if has(plain, wording.ASKS_IN_THE_FORM_OF_OFFERS):
        return "ask"
    if plain.startswith(wording.OFFERS) or has(plain, wording.ALTERNATIVES):
        return "ask" if " or " in plain and not has(plain, wording.NO_CHOICE) else "offer"
    if not alone and (_is_rhetorical(plain) or _is_echo(plain, words)):
        return ""
    return "ask"


def _is_rhetorical(plain: str) -> bool:
    impersonal_why = plain.startswith(" why ") and " you " not in plain and " your " not in plain
    return impersonal_why or plain.startswith(wording.RHETORICAL)


def _is_echo(plain: str, words: list[str]) -> bool:
    if not wording.QUESTION_WORDS.isdisjoint(words):
        return False
    if plain.startswith(wording.ECHOES_AT_THE_START) or plain.endswith(" you say "):
        return True
    if not words or len(words) > MAX_WORDS_OF_ECHO or words[0] == "and" or not plain.isascii():
        return False
    return wording.ASKING.isdisjoint(words)


def _orders(plain: str, words: list[str]) -> bool:
    """Whether the user is told to hand something over."""
    may_order = not wording.ORDER_WORDS.isdisjoint(words)
    if may_order and has(plain, wording.ORDERS) and not has(plain, wording.CONDITIONAL_ORDERS):
        return True
    if words and words[0] in wording.ACKNOWLEDGMENTS:
        words = words[1:]
    if "please" in words:
        follower = next(iter(words[words.index("please") + 1 :]), "")
        if follower:
            return follower in wording.HANDING_OVER
        return len(words) <= MAX_WORDS_OF_PLEA or words[0] in wording.HANDING_OVER
    if len(words) < 2 or words[0] not in wording.HANDING_OVER:
        return False
    if has(plain, wording.CONSEQUENCES):
        return True
    return words[1] == "over" or (words[0] in wording.PLAIN_ORDERS and words[1] in wording.DETERMINERS)


def _is_unmarked_question(plain: str, words: list[str]) -> bool:
    """People leave the question mark out: "In what city", "Where would you like to stay"."""
    if wording.QUESTION_WORDS.isdisjoint(words[:4]):
        return False
    if re.match(_INVERSION, plain):
        return True
    if len(words) > MAX_WORDS_OF_FRAGMENT or words[-1] in wording.QUESTION_WORDS:
        return False
    return wording.AUXILIARIES.isdisjoint(words) and {"a", "you", "i", "follows"}.isdisjoint(words)


def _lacks(plain: str) -> bool:
    if _is_unsaid(plain):
        return True
    if has(plain, wording.NEEDS):
        return not has(plain, wording.NEEDS_OF_AMOUNTS)
    if has(plain, wording.WANTING) and has(plain, wording.INFORMATION):
        return True
    # "If you give me the hostname, I'll restart it": a condition, and both of us in it.
    if not has(plain, wording.CONDITIONS) or " i " not in plain:
        return False
    return plain.count(" i ") > 1 or " you " in plain or " your " in plain


def _is_unsaid(plain: str) -> bool:
    """Whether it is about what the user has not said; not to know the weather is an inability."""
    if has(plain, wording.UNSAID) or (plain.endswith(" yet ") and has(plain, wording.NOT_HAD)):
        return True
    if not has(plain, wording.DOUBTS) or not has(plain, wording.DOUBTED):
        return False
    return " whether " in plain or not wording.QUESTION_WORDS.isdisjoint(plain.split())


def _inability(plain: str, foreign: str, words: list[str]) -> str:
    """Whether a sentence says that the assistant cannot do it (`decline`), or not yet (`liftable`)."""
    if has(plain, wording.LATIN_REFUSALS) or has(foreign, wording.ASIAN_REFUSALS):
        return "decline"
    if not _declines(plain, words):
        return ""
    return "liftable" if has(plain, wording.CONDITIONS) and not has(plain, wording.TOOLS) else "decline"


def _declines(plain: str, words: list[str]) -> bool:
    if has(plain, wording.DECLINES):
        return True
    if not wording.DISTANCES.isdisjoint(words) and has(plain, wording.REACH):
        return True
    if wording.NEGATIONS.isdisjoint(words):
        # "I'd need a different tool for that."
        return has(plain, wording.TOOLS) and has(plain, wording.NEEDS)
    if has(plain, wording.IDIOMS) or _is_unsaid(plain):
        return False
    if has(plain, wording.LACK):
        return not has(plain, wording.LACK_OF_NOTHING)
    return has(plain, wording.INABILITY) or has(plain, wording.ONESELF) or _is_denied_here(plain)


def _is_denied_here(plain: str) -> bool:
    """Whether it is the tools, or this place, that do not allow it."""
    if has(plain, wording.TOOLS) and has(plain, wording.OWN) and not has(plain, wording.ARGUMENTS):
        return True
    return has(plain, wording.PASSIVE) and has(plain, wording.HERE)
