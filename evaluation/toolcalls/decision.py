"""Which of the four decisions a completion takes: to call, to ask, to decline, or to answer.

Calls decide by themselves. Text is judged by its wording, sentence by sentence:

1. Closing courtesies ("Is there anything else I can help you with?") say nothing and are left out.
2. A sentence that wants something from the user is a request: it has a question mark, says "please
   provide", "I need to know", "could you …", or is a short bare question ("In what city").
3. A sentence that says what the assistant cannot do is a refusal: "I'm unable", "I can't", "I don't have
   access", or a plain apology.
4. A request makes it `request_for_info`, unless it only offers something ("Would you like me to …?") after
   an answer or a refusal; else a refusal makes it `cannot_answer`; else it is `direct`.

The rule reads English, with the commonest words of Chinese and Korean. It is a heuristic: a judge model is
the better reader where one is at hand.
"""

from __future__ import annotations

from evaluation.toolcalls.completion import Completion

DECISIONS = ("tool_call", "request_for_info", "cannot_answer", "direct")
MALFORMED = "malformed_call"

# A text's decision shows in its first sentences; reading on would cost time on padded outputs.
MAX_CHARACTERS_READ = 4000

_COURTESIES = (
    "anything else?",
    "anything else i ",
    "anything else you",
    "anything else that",
    "something else i",
    "else i can",
    "sorry to hear",
    "can help with that",
    "can help you with that",
    "other questions",
    "how can i help",
    "how can i assist",
    "how may i",
    "what can i do for you",
    "any questions",
)
_REQUESTS = (
    "please provide",
    "please specify",
    "please tell me",
    "please share",
    "please clarify",
    "please confirm",
    "please give me",
    "please let me know",
    "please supply",
    "please enter",
    "please choose",
    "please select",
    "could you ",
    "can you ",
    "would you mind",
    "i need to know",
    "i'll need",
    "i will need",
    "i need the",
    "i need your",
    "i need more",
    "i need a few",
    "i would need",
    "i'd need",
    "we need to know",
    "let me know wh",
    "let me know the",
    "let me know your",
    "tell me",
    "give me a",
    "give me the",
    "give me your",
    "give me more",
    "is required to proceed",
    "please say",
    "请提供",
    "请告诉",
    "请问",
    "알려주",
    "알려 주",
    "말씀해",
)
# What a sentence that only offers something begins with.
_OFFERS = (
    "would you like me",
    "would you like to",
    "would you like more",
    "do you want me",
    "want me to",
    "shall i",
    "should i",
    "can i ",
    "may i ",
    "how about",
    '"how about',
)
_REFUSALS = (
    "i'm sorry",
    "i am sorry",
    "sorry",
    "apolog",
    "unable to",
    "not able to",
    "i can't",
    "i cannot",
    "i can not",
    "can't assist",
    "cannot assist",
    "can't help",
    "cannot help",
    "i do not have",
    "i don't have",
    "don't currently have",
    "do not currently have",
    "i lack",
    "not capable",
    "beyond my",
    "outside my",
    "outside the scope",
    "outside of what",
    "outside what",
    "isn't something",
    "is not something",
    "no access",
    "cannot be used",
    "can't be used",
    "does not offer",
    "doesn't offer",
    "does not allow me",
    "no way to",
    "no suitable",
    "not possible for me",
    "none of the",
    "no tool",
    "no function",
    "no available",
    "not within my",
    "not designed to",
    "not equipped to",
    "抱歉",
    "对不起",
    "我无法",
    "我不能",
    "죄송",
    "없습니다",
)
_QUESTION_WORDS = ("what", "which", "where", "when", "who", "whose", "how many", "how much", "how long")
MAX_WORDS_OF_BARE_QUESTION = 12


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
    """Classify a text that holds no call, by the rule at the top of this module."""
    said = [sentence for sentence in _sentences(text) if not _has(sentence, _COURTESIES)]
    refuses = any(_has(sentence, _REFUSALS) for sentence in said)
    requests = [sentence for sentence in said if _is_request(sentence)]
    if len(said) > len(requests):
        requests = [sentence for sentence in requests if not sentence.startswith(_OFFERS)]
    if requests:
        return "request_for_info"
    return "cannot_answer" if refuses else "direct"


def _is_request(sentence: str) -> bool:
    if sentence.endswith("?") or _has(sentence, _REQUESTS):
        return True
    words = sentence.split()
    # "In what city", "and what date then": people leave the question mark out.
    opening = " ".join(words[:3])
    return len(words) <= MAX_WORDS_OF_BARE_QUESTION and _has(opening, _QUESTION_WORDS)


def _sentences(text: str) -> list[str]:
    plain = text[:MAX_CHARACTERS_READ].replace("’", "'").replace("？", "?").replace("。", ".").lower()
    for mark in ".!?\n":
        # The mark stays with its sentence; a dot within a word or a number ends none.
        plain = plain.replace(mark + " ", mark + "\n") if mark != "\n" else plain
    return [sentence.strip() for sentence in plain.split("\n") if sentence.strip()]


def _has(sentence: str, phrases: tuple[str, ...]) -> bool:
    return any(phrase in sentence for phrase in phrases)
