"""What the prose around an unmarked call says of it: that it is made, or that it is only spoken of.

JSON without a sign of its format is a call only where nothing speaks against it. Documentation, examples,
conditions, questions, offers, refusals, quotations and reports of the past do. The cues are English, with the
commonest of German, French and Spanish, and kept to a few hundred signs around the call, so that the time
stays linear.
"""

from __future__ import annotations

import re

NEAR, FAR = 300, 1200


def _any(*phrases: str) -> re.Pattern[str]:
    return re.compile(r"\b(?:" + "|".join(phrases) + ")", re.IGNORECASE)


_VERBS = r"(?:call|use|invoke|run|execute|send|emit|make|write|issue|look|be|need|follow|comply|do|delete)\b"
_THE = r"(?:the|this|that|my|your|a)"
# Where a sentence breaks off for the call: nothing but signs before it.
_BLANK_END = r"[^\w.!?]{0,6}$"
_FILLERS = r"(?:(?:not|also|then|always|never|just|you|i|we) ){0,2}"
# Anywhere near the call.
_EXAMPLE = _any(
    r"for (?:example|instance)",
    r"e\.g\.",
    r"(?:an?|the|this|another|following|here's an) (?:\w+ )?(?:example|sample|template)",
    r"example (?:\w+ )?(?:of|call|usage|request|payload|output)",
    r"example:",
    r"hypothetical(?:ly)?",
    r"placeholders?",
    r"documentation|in the docs",
    r"malicious|attacker|phishing|prompt injection|injected",
    r"ignore (?:all |any |the |my |your )?(?:previous |prior |above )?instructions",
    r"system override",
    r"(?<=# )(?:usage|syntax|examples?|format)\b",
    r"zum beispiel|beispielsweise|z\. ?b\.|par exemple|p\. ex\.|por (?:ejemplo|exemplo)|p\. ej\.|per esempio",
    r"bijvoorbeeld",
)
# Languages that write no blanks between words.
_EXAMPLE_UNSPACED = re.compile("例如|比如|例えば|たとえば|예를 들어")
# In the sentence before the call.
_BEFORE = _any(
    rf"(?:would|could|might|can|may|i\'d|you\'d|we\'d) {_FILLERS}{_VERBS}",
    r"(?:won't|wouldn't|can't|cannot|shouldn't|don't|do not|never|not going to|refuse to|will not|avoid)"
    rf" (?:\w+ ){{0,3}}{_VERBS}",
    r"if (?:you|i|we|the|a|an|it|one)\b",
    r"instead of|rather than|such as",
    r"shaped like|formatted (?:like|as)|looks? like|works? like",
    r"(?:the|this|following|right|correct|expected) (?:format|syntax|schema|structure)\b[^.]{0,60}$",
    r"how to|to use the|to (?:call|invoke) (?:the|a|this)|here(?:'s| is) how",
    r"i tried|is written|asked me to|tells? me to|told me to",
    r"says?\b|said\b|wrote\b|quoted?\b|contain(?:s|ed)?\b|containing\W|reads:|according to (?!you)",
    r"(?:should|shall|may|can|could) (?:i|we)\b|(?:would|do) you (?:like|want|need|mean)\b|want me to",
    r"(?:just|i|we|he|she|it|they) (?:ran|called|executed|sent|invoked)\b",
    r"(?:already|have|has|had|i've|we've|was|were|been) (?:ran|run|called|executed|sent|invoked)\b",
    rf"(?:results?|outputs?|outcome|effects?) (?:of|from) (?:{_THE} )?(?:\w+ )?{_BLANK_END}",
    r"(?:am|was|were|been|being) (?:told|asked|instructed|ordered|tricked)\b",
    rf"not to {_FILLERS}{_VERBS}",
    r"dangerous|harmful|unsafe|destructive|disallowed|forbidden",
    rf"(?:explain|describe|discuss|understand|wonder)\b[^.]{{0,60}}{_BLANK_END}",
    r"(?:once|until|unless|as soon as) (?:you|i|we|the|it)\b",
    r"(?:when|after) you (?:confirm|approve|agree|say|tell|provide|give|are)\b",
    r"before (?:i|we) (?:call|run|send|do|proceed|execute|invoke)\b",
    r"soll(?:te)? ich|darf ich|(?:möchten sie|möchtest du|willst du|wollen sie)\b[^.]{0,60}\bdass",
    r"(?:wenn|sobald|falls) (?:du|sie|ich)\b|ich (?:würde|könnte|werde nicht|habe bereits|habe schon)\b",
    r"(?:tu veux|veux-tu|vous voulez|voulez-vous|souhaitez-vous|vous souhaitez) que|dois-je|puis-je",
    r"(?:si|dès que|quand) (?:tu|vous)\b|je ne (?:vais|veux|peux)|je (?:pourrais|voudrais|devrais)",
    r"(?:quieres|quiere|desea|deseas) que|(?:debo|debería|puedo) (?:llamar|ejecutar|enviar|usar)",
    r"(?:si|cuando) (?:quieres|quiere|desea|deseas|confirmas|me das)\b|no (?:voy a|debo|puedo) \w+ar\b",
    r"expects?\b|accepts?\b",
    r"previous(?:ly)?\b|earlier\b|last time\b",
)
# Behind the call.
_AFTER = _any(
    r"replace\b",
    r"(?:is|was|be) (?:just |only |merely )?(?:an? |the )?(?:example|template|sample|illustration)",
    r"(?:shall|should|may|can|could) i\b",
    r"would you like|do you want|want me to|if you(?:'d| would)? (?:like|want)[^.]{0,20} me to",
    r"(?:does|is) (?:that|this) (?:ok|okay|look|sound|right|correct)|(?:please |you )?confirm",
    r"once you (?:confirm|approve|provide|tell)|before i (?:call|run|send|do|proceed)",
    r"i (?:won't|will not|would not|wouldn't|did not|didn't|have not|haven't|am not|can't|cannot)",
    r"not (?:actually |yet )?(?:been )?(?:run|executed|called|sent|made)",
    r"not something|quoted|but (?:it|that) \w+ed",
    r"would (?:call|send|run|return|be|do|have)",
    r"(?:avoid|do not|don't|never) (?:it|this|that|run|call|send|use|do|execute|\w+ing)\b",
    r"what you (?:want|wanted|need|meant|mean|had in mind)\b",
    r"which (?:one|would|of)|is (?:how|what) (?:you|one|a call)|this is how",
)
# Directly behind the call: it is asked about, or the subject of what goes on.
_GOES_ON = re.compile(
    r"[`\"'”»)*_\s]{0,6}(?:[?？]|(?:does|do|did|means?|was|would|will|could|can|should|might|returns?|returned"
    r"|looks?|failed|fails|but i (?:refused|declined|stopped))\b)",
    re.IGNORECASE,
)
# A question that begins so has the call within it.
_ASKS = re.compile(r"\W*(?:is|are|was|were|does|did|has|have (?:you|i)|why|what if)\b|[^¿]*¿", re.IGNORECASE)
_CHOICE = _any("or\\b", "alternatively", "either", "option", "instead")
_COMMITMENT = _any(
    r"i'll|i will|i'm (?:going to|now|calling)|i am (?:going to|now|calling)",
    r"let me|let's",
    r"(?:calling|using|running|now|sure|okay|ok)\b",
    r"(?:tool|function) call",
    r"calls?:\s*$",
)
_IS_SHOWN = re.compile(r"(?:^|\n)>[^\n]{0,80}$|<!--[^>]{0,80}$|[\w\])]\s{0,4}=\s{0,4}$")
_SENTENCE = re.compile(r"[.!?](?=\s)|\n\s*\n")
_QUOTES = {"`": "`", '"': '"', "'": "'", "“": "”", "«": "»", "(": ")"}


def is_only_spoken_of(text: str, start: int, end: int) -> bool:
    """Tell whether the prose of `text` before `start` and behind `end` speaks of a call that is not made."""
    before, behind = text[max(0, start - FAR) : start], text[end : end + NEAR]
    if any(cue.search(near) for cue in (_EXAMPLE, _EXAMPLE_UNSPACED) for near in (before, behind)):
        return True
    if _is_quoted(before, behind) or is_shown(before) or _GOES_ON.match(behind):
        return True
    if _ASKS.match(_SENTENCE.split(before[-NEAR:])[-1]):
        return True
    return bool(_BEFORE.search(last_sentence(before[-NEAR:])) or _AFTER.search(behind))


def is_shown(before: str) -> bool:
    """Tell whether what stands directly before a call shows it: a quoted line, a comment, an assignment."""
    return _IS_SHOWN.search(before) is not None


def leaves_a_choice(between: str) -> bool:
    """Tell whether what stands between two calls makes them alternatives."""
    return bool(_CHOICE.search(between[:NEAR]))


def announces_a_call(before: str) -> bool:
    """Tell whether the last sentence before a call says that it is made now."""
    return bool(_COMMITMENT.search(last_sentence(before[-NEAR:])))


def last_sentence(text: str) -> str:
    """Return the last sentence of a short text that says anything."""
    pieces = [piece for piece in _SENTENCE.split(text) if piece.strip(" \t\r\n:`*#-")]
    return pieces[-1] if pieces else ""


def _is_quoted(before: str, behind: str) -> bool:
    opening, closing = before[-1:], behind[:1]
    if before.endswith("```") or _QUOTES.get(opening) != closing or not closing:
        return False
    return bool(before[:-1].strip() or behind[1:].strip(" \t\r\n."))
