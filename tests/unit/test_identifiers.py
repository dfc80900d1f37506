"""Identity is scheme and code (R2); check characters are held where ids are made."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents.errors import IdentifierError
from documents.identifiers import code_of, display, identifier, parse_identifier, party, scheme_of, verify
from documents.values import Identifier
from tests.strategies_documents import area_ids, party_ids, resource_ids

HUB, GLN, GSRN = "45X-TPS-HUB-DEM8", "5790000000005", "571313100000000010"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HUB, f"A01:{HUB}"),
        (f"A01:{HUB}", f"A01:{HUB}"),
        (GLN, f"A10:{GLN}"),
        (GSRN, f"A10:{GSRN}"),
        (f"NSE:{GSRN}", f"NSE:{GSRN}"),
        ("transformer-12", "NDK:transformer-12"),
        ("571313100000000011", "NDK:571313100000000011"),
        ("45x-tps-hub-dem8", "NDK:45x-tps-hub-dem8"),
        ("part:of:grid", "NDK:part:of:grid"),
    ],
)
def test_r2_ids_in_json_may_leave_out_the_coding_scheme(text: str, expected: str) -> None:
    assert parse_identifier(text) == expected


def test_r2_the_national_scheme_is_a_setting() -> None:
    assert parse_identifier("042", national="NSE") == "NSE:042"
    assert display(Identifier("NSE:042"), national="NSE") == "042"
    assert display(Identifier("NSE:042"), national="NDK") == "NSE:042"


def test_r2_the_same_code_in_two_schemes_is_two_identities() -> None:
    assert parse_identifier(f"NDK:{GSRN}") != parse_identifier(GSRN)


@given(party_ids | area_ids | resource_ids)
def test_r2_what_is_displayed_is_read_back_as_the_same_identity(id_: Identifier) -> None:
    assert parse_identifier(display(id_)) == id_


@given(party_ids)
def test_r1_participants_have_an_eic_or_a_gln_and_its_code_names_their_component(id_: Identifier) -> None:
    assert party(display(id_)) == id_
    assert f"{scheme_of(id_)}:{code_of(id_)}" == id_


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("45X-TPS-HUB-DEM9", "its check character is 9, 8 was expected"),
        ("5790000000006", "its check digit is 6, 5 was expected"),
        (GSRN, "it is a GSRN"),
        ("NDK:042", "another form"),
        ("A01:45X-TPS-HUB-DEM9", "8 was expected"),
        (f"A10:{GSRN}", "GLN"),
    ],
)
def test_r1_another_participant_id_is_refused_saying_what_was_expected(text: str, expected: str) -> None:
    with pytest.raises(IdentifierError, match=expected):
        party(text)


@pytest.mark.parametrize("code", ["", "a" * 61, "two words", "line\nbreak", "nul\0", "bell\a", "no\u00a0break"])
def test_codes_are_bounded_and_printable(code: str) -> None:
    with pytest.raises(IdentifierError):
        identifier("NDK", code)


@pytest.mark.parametrize("scheme", ["", "A1", "a01", "A010", 'A"1'])
def test_coding_schemes_have_three_capitals_or_digits(scheme: str) -> None:
    with pytest.raises(IdentifierError, match="Coding scheme"):
        identifier(scheme, "1")


def test_trap_14_check_characters_are_held_where_ids_are_made_not_where_they_are_read() -> None:
    read = identifier("A01", "----------------")

    assert display(read) == read
    with pytest.raises(IdentifierError, match="no valid EIC"):
        verify(read)
    with pytest.raises(IdentifierError, match=r"GSRN .* GLN"):
        verify(identifier("A10", "571313100000000011"))


@given(st.text(max_size=70))
def test_any_text_is_an_id_or_a_clear_refusal(text: str) -> None:
    refusal = ""
    try:
        read = parse_identifier(text)
    except IdentifierError as error:
        refusal = str(error)

    assert ("Give" in refusal or "Correct" in refusal) if refusal else text in {code_of(read), read}
