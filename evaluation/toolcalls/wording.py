"""The words by which an assistant asks, declines, offers and is polite: the lists that `decision` reads by.

A sentence is compared in a plain form (`plain_form`): lower case, contractions written out ("can't" is
"cannot", "isn't" is "is not"), "we" and "our" as "i" and "my", without punctuation and the adverbs that
change nothing. A phrase stands for whole words; with a star at its end, for the beginning of one.
"""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_CONTRACTIONS = (
    ("can't", "cannot"),
    ("won't", "will not"),
    ("shan't", "shall not"),
    ("n't", " not"),
    ("'m ", " am "),
    ("'ll ", " will "),
    ("'d ", " would "),
    ("'re ", " are "),
    ("'ve got ", " have "),
    ("'ve ", " have "),
    ("'s ", " is "),
)
_SAME_SPEAKER = {
    "we": "i",
    "our": "my",
    "ours": "mine",
    "us": "me",
    "ourselves": "myself",
    "kindly": "please",
}
# "I'm going to have to ask" is "I must ask"; "I'd need" and "I'll need" are "I need".
_MODALS = (
    (" can not ", " cannot "),
    (" i am going to ", " i "),
    (" i will ", " i "),
    (" i would ", " i "),
    (" have to ", " must "),
    (" need to ", " must "),
)
# They stand between the words of a phrase and change nothing.
_FILLERS = _words(
    """actually alas also already always currently directly even ever exactly first further hence honestly
    however indeed just merely necessarily now perhaps personally presently probably quite really
    regrettably sadly simply so still then therefore though too truly unfortunately very well leider
    malheureusement lamentablemente"""
)


def plain_form(sentence: str) -> str:
    """Bring a lower-case sentence to the form in which the phrases are written, with a space at each end."""
    if "'" in sentence:
        sentence += " "
        for short, long in _CONTRACTIONS:
            sentence = sentence.replace(short, long)
    # "We cannot divide by zero" speaks of anyone, unlike "we need your name".
    words = re.findall(r"[\w']+", sentence.replace("we cannot", "one cannot"))
    plain = f" {' '.join([_SAME_SPEAKER.get(word, word) for word in words if word not in _FILLERS])} "
    for longer, shorter in _MODALS:
        plain = plain.replace(longer, shorter)
    return plain


def _as_written(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _phrases(text: str) -> tuple[str, ...]:
    """Read phrases separated by bars; each gets the spaces that make it match whole words only."""
    phrases = (" ".join(phrase.split()) for phrase in text.split("|"))
    return tuple(f" {phrase[:-1]}" if phrase.endswith("*") else f" {phrase} " for phrase in phrases)


def _pairs(beginnings: str, ends: str) -> tuple[str, ...]:
    """Read two such lists and put every beginning before every end."""
    return _phrases(
        "|".join(f"{first} {last}" for first in beginnings.split("|") for last in ends.split("|"))
    )


def has(plain: str, phrases: tuple[str, ...]) -> bool:
    """Say whether any of the phrases stands in a plain sentence that has a space at each end."""
    for phrase in phrases:  # noqa: SIM110 - a generator in `any` takes twice the time, and this is the hot path
        if phrase in plain:
            return True
    return False


# What says nothing by itself: the ends of a conversation, and what the user might want next.
COURTESIES = _phrases(
    """there anything else | anything else i | anything else you | anything else that | need anything else
    | with anything else | there something else | something else i | something else you
    | with something else | else can i | else may i | else could i | else i can | what else | how else
    | other questions | more questions | any other question* | have any questions | feel free
    | do not hesitate | let me know if | how can i help | how can i assist | how may i
    | what can i do for you | does that help | does this help | how does that sound | sound good
    | is that all"""
)
COURTESIES_AT_THE_START = _phrases(
    """if you have | if you must | if you need | if you would like | if you want | if you are looking
    | should you | anything else | let me know should"""
)
# Before an answer or a question: they promise and do nothing yet.
ACKNOWLEDGMENTS = _words("sure certainly absolutely okay ok great gladly understood alright thanks hello hi")
PROMISES = _phrases(
    """help with that | help you with that | assist with that | assist you with that | happy to | glad to
    | love to | of course | got it | no problem | easy to do | my pleasure | i can do that
    | here to help | thank you"""
)
# Fixed expressions whose negation denies nothing of the assistant's own.
IDIOMS = _phrases(
    """cannot wait | cannot recommend | cannot stress | cannot go wrong | cannot thank | cannot blame
    | cannot argue | cannot help but | cannot complain | cannot overstate | cannot imagine
    | cannot believe | cannot emphasize | cannot fault | cannot deny | no doubt | no problem
    | no worries | not to worry | do not worry | not sure | not certain | my records | my search
    | my pleasure | no rush | not mind"""
)

QUESTION_WORDS = _words("what which where when who whose whom how why")
AUXILIARIES = _words(
    """is are was were am do does did can could would will may might shall should have has must cannot"""
)
# Short questions without any of these echo the user's words ("Certificates?").
ASKING = QUESTION_WORDS | AUXILIARIES | {"or", "any", "name", "number"}
# Questions that a speaker puts only to answer them, or that have no answer.
RHETORICAL = _phrases(
    """why not | did you know | guess what | what does that mean | what does this mean | what does it mean
    | who does not | who would not | the result | the best part | and the best part | the catch"""
)
ECHOES_AT_THE_START = _phrases("you want | you would like | you are looking | you mean")
# A question that only proposes what comes next; "May I have your name?" is none.
OFFERS = _phrases(
    """would you like | do you want | want me | want to | shall i | should i | can i | may i | could i
    | might i | how about | try | maybe | have you tried | have you considered | do you need
    | are you interested | would it help | interested in"""
)
ASKS_IN_THE_FORM_OF_OFFERS = _pairs("can i | may i | could i | might i", "have | get | ask | know | see")
ALTERNATIVES = _phrases("instead | alternatively")
# "Shall I go on or not" leaves the user no more to choose than the offer alone.
NO_CHOICE = _phrases(
    "or not | or to | or would you | or do you | or something | or anything | or shall i | or should i"
)

# Verbs by which a user hands over what is missing, after "please" …
HANDING_OVER = _words(
    """provide specify share tell clarify confirm give supply enter choose select state indicate send type
    name upload attach list say include mention describe paste submit pick identify let inform advise
    spell fill show reply respond write quote"""
)
# … and those that tell a user so even without it, before a thing.
PLAIN_ORDERS = _words("provide specify clarify indicate state name say")
DETERMINERS = _words("the a an your which what whether how me one at")
# "Name the company and I will look it up."
CONSEQUENCES = _phrases("and i | that i")
ORDERS = _pairs(
    "tell me | give me | let me know | send me | show me | pass me | hand me | forward me | read me",
    "the | your | a | more | what | which | when | where | who | whose | how | whether",
) + _phrases("let me have | more specific | could you | can you | would you mind")
# "If you give me the name, I can …" is a condition.
CONDITIONAL_ORDERS = _phrases("you tell me | you give me | you let me know | you send me | you show me")
# One word of every order, so that most sentences are done with at once.
ORDER_WORDS = _words("me know you specific")
# A need of the assistant's own, or a duty of the user's.
NEEDS = (
    _phrases("i need | i only need | i do need | i require | helps to know | i am missing | i am lacking")
    + _pairs(
        "i must | i only must", "know | ask | confirm | verify | have | get | check | clarify | see | be sure"
    )
    + _phrases("appreciate it if you | appreciate if you | grateful if you | helpful if you could")
    + _phrases("i should know | i like to know | i want to know | i wonder | help to know")
    + _pairs("useful to | helpful to", "know | have")
    + _pairs("you must", "provide | specify | supply | state | give me | tell me")
)
# "We need 2 cups" is cooking.
NEEDS_OF_AMOUNTS = _pairs("need", "0* | 1* | 2* | 3* | 4* | 5* | 6* | 7* | 8* | 9*")
# What the user has not said.
UNSAID = (
    _pairs(
        "you have not",
        """said | told | given | mentioned | specified | provided | named | stated | included | indicated
        | entered | supplied | chosen | selected""",
    )
    + _pairs(
        """you did not | message does not | request does not | query does not | question does not""",
        """say
    | tell | give | mention | specify | provide | name | include | contain | state | indicate | choose
    | enter""",
    )
    + _phrases(
        """query lacks | request lacks | message lacks | i did not catch | but not your | you gave only
    | you only gave | i did not understand | i do not understand | ambiguous | could refer to
    | you forgot | you left out | you gave me | you have given me | in your message | in your request
    | i do not have your | i do not have enough | is missing | was left out | were left out
    | not enough detail* | not enough information | was not provided | were not provided
    | was not specified | is not specified | depends where you want | depends on where you want
    | depends what you | depends which"""
    )
)
# "I don't have the postcode yet."
NOT_HAD = _phrases("i do not have | i have not got | i have not")
DOUBTS = _phrases(
    """do not know | not sure | not certain | not clear | unclear | wondering | cannot tell which
    | cannot tell from"""
)
DOUBTED = _phrases("you | your | of the two | of the three | of them")
# "The arguments of the function are not given" is no failing of the function.
ARGUMENTS = _phrases(
    "parameter | parameters | argument | arguments | sufficient information | enough information"
)
INFORMATION = _phrases(
    """information | detail | details | parameter | parameters | argument | arguments | field* | input
    | inputs | date* | number* | name | names | amount* | address* | destination | recipient | postcode
    | city | currency | location | unit | quantity | email"""
)
WANTING = _phrases(
    """missing | lacks | lacking | insufficient | incomplete | empty | blank | not sufficient | not provide
    | does not include | required to | required for | required before | needed to | needed for
    | needed before | is needed | are needed | are required | must be given | must be provided
    | was given | were given | was provided | was specified | was mentioned | not provided | not given
    | not specified | not stated"""
)
# What the user can do about an inability: "until you …", "without your …".
CONDITIONS = (
    _pairs("once | as soon as | until | unless | before | after", "you | i")
    + _pairs("if you", "give | tell | provide | send | share | specify | name | say | let")
    + _pairs("without", "a | an | the | your | knowing | this | that | more")
)

NEGATIONS = _words(
    """not no none cannot neither nor nothing never nobody without lack lacks lacking missing unable
    incapable impossible unsupported unavailable powerless hardly fails limited restricted"""
)
# The assistant cannot, may not, or was not made for it.
INABILITY = _phrases(
    """i cannot | i not | nope | no cannot | sorry cannot | unable to | i am unable | not able to
    | incapable of | i can neither | i can do nothing | i could not do | i could not help
    | i could not possibly | not think i can | i am not | i was not | i was never | i am never
    | i am hardly | i have not been | i have never been | i may not | not be able | i must not
    | i am only able | i am only allowed | i am only equipped | i am only set up | i am only here
    | i am limited to | i am restricted to | i am without | i am no | i am of no | no help with
    | no can do | powerless | impossible for me"""
)
# It has not what it takes. "I do not see", "I did not find" are findings and stand in none of these lists.
LACK = _pairs(
    "i do not",
    """have | possess | offer | support | handle | cover | do | deal | carry | process | own | include
    | come | get | hold | provide | book | issue | manage | make | sell | take | know how""",
) + _phrases(
    """i have no | i have nothing | i have neither | i have none | i lack | nothing i | i do not know
    | i see no way | no way i can | no way to | no way of | no means of | no suitable | no appropriate
    | no relevant | no matching | no tool | no tools | no such tool | no function | no functions
    | no such function | no available | request cannot | question cannot | query cannot | task cannot"""
)
LACK_OF_NOTHING = _phrases("i have no doubt | i have no objection")
# It lies too far off.
DISTANCES = _words("beyond outside out exceeds exceed not")
REACH = (
    _pairs(
        "beyond | outside | outside of | out of | exceeds | exceed | not within | not in | not on",
        """my | me | what i | what my | what this | reach | the scope | scope | anything i | the area i
        | the range of""",
    )
    + _phrases(
        """not what i | not part of what | not part of my | not among | not one of the things | not something
    | nothing that i | not possible here | not possible with | not supported
    | not available through this"""
    )
    + _pairs(
        "not a | not an | not the",
        "task i | thing i | service i | feature i | request i | action i | kind of",
    )
)
# What it acts with does not do it.
TOOLS = _phrases(
    """tool | tools | function | functions | functionality | toolbox | toolset | toolkit | capabilit*
    | abilit* | api | apis | this feature | such feature | no feature | any feature | access
    | permission | permissions | means to | authority"""
)
OWN = _phrases(
    """i | me | my | mine | here | available | the provided | provided functions | provided tools
    | functions provided | tools provided | the given | given functions | given tools | at hand | these
    | there is no | there is not | there are no | there are not | function list | tool list
    | list of functions | list of tools | tool cannot | tools cannot | tool does not | tools do not
    | functions cannot | functions do not"""
)
ONESELF = _phrases(
    """me | my | mine | myself | assistant | language model | chatbot | an ai | this chat | from here
    | on this end | where i am | where i stand"""
)
# "The account could not be charged" happened to the account; "cannot be done here" is the assistant's.
PASSIVE = _phrases("cannot be | cannot get")
HERE = _phrases("here | through this | from this end")
DECLINES = _pairs("i | i must", "decline | refuse | pass | disappoint | regret | say no") + _phrases(
    """sorry no | i rather not | i prefer not | hidden from me | closed to me | shut for me | off limits
    | out of bounds | above my | no expertise"""
)
APOLOGIES = _phrases("sorry | apolog*")
# Not said outright: what it does do, or who does it instead.
HINTS = _phrases(
    """i can only | cover only | only cover | tools only | functions only | function only | i only have
    | i only handle | i only deal | i only cover | a matter for | a job for | i leave that to"""
) + _pairs("you must", "contact | turn to | reach out | speak to | speak with | ask your | ask the")
# For what happened to the user, or before an answer about the world: "Sorry, there are no rooms left".
REGRETS = _phrases(
    """sorry to hear | sorry to keep | sorry that happened | sorry that you | sorry for | sorry about
    | apologies for | apologize for | apologise for | apology for | there is no | there are no
    | there is not | there are not | there seem* | there was no"""
)

# Other languages: the commonest forms. These scripts bend the ends of words or set no spaces: the sentence is
# read as written, but for its spaces.
ASIAN_COURTESIES = _as_written(
    "其他 其它 还有什么 随时 다른도움 다른질문 더필요 더도와 더궁금 他に ほかに お気軽に"
)
ASIAN_REQUESTS = _as_written(
    """请提供 请告诉 请问 请输入 请选择 请说明 请确认 请给 麻烦提供 我需要您 我还需要 还需要您 需要知道
    您没有说 您没有提 請提供 請告訴 請問 請輸入 알려주세요 알려주시 말씀해 입력해 제공해 필요합니다
    선택해 教えて お知らせください お聞かせ ご入力 入力してください 指定してください 必要です"""
)
ASIAN_REFUSALS = _as_written(
    """抱歉 对不起 對不起 遗憾 我无法 我無法 我不能 我没有 我沒有 无法为您 无法帮 超出了我 没有可用
    没有工具 不支持 仅限于 죄송 기능은없 기능이없 제공하지않 지원하지않 수없어요 수없습니다 능력밖
    申し訳 できません できかね 機能はありません 手段がありません 対応しておりません 能力を超え"""
)
LATIN_COURTESIES = _phrases(
    """algo más | otra cosa | otra pregunta | autre chose | d'autre | d'autres questions | sonst noch
    | weitere fragen | noch etwas | mais alguma coisa | qualcos'altro"""
)
LATIN_REQUESTS = _phrases(
    """por favor | podría* | puede indicar* | necesito | dime | dígame | indíqueme | falta | faltan
    | pourriez vous | pouvez vous | veuillez | merci de | j'ai besoin | il me faut | il me manque
    | il manque | könnten sie | können sie mir | kannst du mir | bitte geben | bitte nennen
    | bitte teilen | bitte sagen | ich brauche | brauche ich | ich benötige | benötige ich | fehlt
    | fehlen | nenne mir | poderia | preciso d* | por gentileza | può indicar* | mi serve | ho bisogno"""
)
LATIN_REFUSALS = _phrases(
    """lo siento | no puedo | no podemos | no tengo | no dispongo | no me es posible | fuera de mi
    | no soy capaz | no estoy en condiciones | lamento | désolé* | je ne peux | je n'ai pas
    | je ne dispose | pas en mesure | dépasse mes | m'est impossible | je regrette | je suis incapable
    | es tut mir leid | ich kann kein* | ich kann nicht | kann ich nicht | kann ich ihnen | kann ich dir
    | ich habe kein* | habe ich kein* | außerhalb meiner | nicht in der lage | nicht möglich | não posso
    | não consigo | não tenho | sinto muito | non posso | mi dispiace | non ho accesso
    | non sono in grado"""
)
