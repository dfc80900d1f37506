"""Identifiers of parties, resources and areas: coding scheme and code as one string `SCHEME:code` (R2).

Check characters come from python-stdnum (EIC, GLN, GSRN). They are enforced where ids are created or registered; a
document that only mentions an id with a wrong check character can still be read, as real ones exist.
"""

import re
from typing import Final

from stdnum import ean
from stdnum.eu import eic

from documents.errors import IdentifierError
from documents.values import Identifier

EIC: Final = "A01"
GS1: Final = "A10"
MAX_CODE: Final = 60
MAX_PARTY_CODE: Final = 16

_PREFIXED: Final = re.compile(r"(A[0-9]{2}|N[A-Z]{2}):(.+)", re.DOTALL)
_SCHEME: Final = re.compile(r"[A-Z][A-Z0-9]{2}")
_EIC_FORM: Final = re.compile(r"[0-9]{2}[A-Z][A-Z0-9-]{12}[A-Z0-9]")


def identifier(scheme: str, code: str) -> Identifier:
    """Join a coding scheme and a code, checking form only: length and alphabet, not check characters.

    Raises:
        IdentifierError: an unusable scheme, or a code that is empty, longer than 60 characters, or not plain printable.
    """
    if not _SCHEME.fullmatch(scheme):
        raise IdentifierError(
            f"Coding scheme {scheme!r} is unknown. Give A01 (EIC), A10 (GS1) or a national one such as NDK."
        )
    if not code:
        raise IdentifierError("The code is empty. Give the id of the party, resource or area.")
    if len(code) > MAX_CODE:
        raise IdentifierError(
            f"The code has {len(code)} characters, at most {MAX_CODE} are allowed. Give the registered id."
        )
    if not code.isprintable() or " " in code:
        raise IdentifierError(f"The code {code!r} holds white space or control characters. Give it without them.")
    return Identifier(f"{scheme}:{code}")


def parse_identifier(text: str, *, national: str = "NDK") -> Identifier:
    """Read an id as people write it: `SCHEME:code`, a bare EIC, GSRN or GLN, else a code of the `national` scheme (R2).

    Raises:
        IdentifierError: the form is wrong, or the scheme is given and its check character does not fit.
    """
    prefixed = _PREFIXED.fullmatch(text)
    if prefixed:
        return verify(identifier(prefixed[1], prefixed[2]))
    if is_eic(text):
        return identifier(EIC, text)
    if is_gln(text) or is_gsrn(text):
        return identifier(GS1, text)
    return identifier(national, text)


def party(text: str, *, national: str = "NDK") -> Identifier:
    """Read the id of a market participant, which must be an EIC or a GLN with a correct check character (R1).

    Raises:
        IdentifierError: anything else.
    """
    read = parse_identifier(text, national=national)
    code = code_of(read)
    if len(code) > MAX_PARTY_CODE or not (is_eic(code) if scheme_of(read) == EIC else is_gln(code)):
        expected = _expectation(code)
        raise IdentifierError(
            f"{text!r} is no participant id: {expected}. Give a valid EIC (16 characters) or GLN (13 digits)."
        )
    return read


def verify(id: Identifier) -> Identifier:  # noqa: A002 - the field's own word
    """Return `id` when its check character fits its scheme; national codes have none.

    Raises:
        IdentifierError: an A01 code that is no EIC, or an A10 code that is neither GSRN nor GLN.
    """
    scheme, code = scheme_of(id), code_of(id)
    if scheme == EIC and not is_eic(code):
        raise IdentifierError(
            f"{code!r} is no valid EIC: {_expectation(code)}. Correct it, or give the coding scheme it belongs to."
        )
    if scheme == GS1 and not (is_gln(code) or is_gsrn(code)):
        raise IdentifierError(
            f"{code!r} is no valid GSRN (18 digits) or GLN (13 digits): {_expectation(code)}. "
            "Correct it, or give the coding scheme it belongs to."
        )
    return id


def scheme_of(id: Identifier) -> str:  # noqa: A002 - as above
    """Coding scheme, e.g. `A01`."""
    return id.partition(":")[0]


def code_of(id: Identifier) -> str:  # noqa: A002 - as above
    """Code without its scheme; for a participant this is its MADES component code (R1)."""
    return id.partition(":")[2]


def display(id: Identifier, *, national: str = "NDK") -> str:  # noqa: A002 - as above
    """Shortest text that `parse_identifier` reads back as the same identity: the bare code where that is clear (R2)."""
    code = code_of(id)
    try:
        return code if parse_identifier(code, national=national) == id else id
    except IdentifierError:
        return id


def is_eic(code: str) -> bool:
    """Whether `code` is an Energy Identification Code with a correct check character."""
    return bool(_EIC_FORM.fullmatch(code)) and eic.is_valid(code)


def is_gln(code: str) -> bool:
    """Whether `code` is a Global Location Number: 13 digits with a correct check digit."""
    return _digits(code, 13) and ean.is_valid(code)


def is_gsrn(code: str) -> bool:
    """Whether `code` is a Global Service Relation Number: 18 digits with a correct check digit."""
    return _digits(code, 18) and ean.calc_check_digit(code[:-1]) == code[-1]


def _digits(code: str, length: int) -> bool:
    return len(code) == length and code.isascii() and code.isdigit()


def _expectation(code: str) -> str:
    """Say what the code would need, as far as its form tells what it was meant to be."""
    if _EIC_FORM.fullmatch(code):
        return f"its check character is {code[-1]}, {eic.calc_check_digit(code[:-1])} was expected"
    if is_gsrn(code):
        return "it is a GSRN, which names a metering point"
    if _digits(code, 13) or _digits(code, 18):
        return f"its check digit is {code[-1]}, {ean.calc_check_digit(code[:-1])} was expected"
    return f"found {len(code)} characters of another form"
