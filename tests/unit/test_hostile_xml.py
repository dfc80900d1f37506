"""Hostile XML is refused with words; neither work nor memory grows beyond what the size allows (NF1)."""

import subprocess
import sys
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from documents import registry
from documents.errors import DocumentError, Malformed, SchemaInvalid, UnknownDocument
from documents.model import Document, GlMarketDocument
from documents.versions import VERSIONS
from tests.documents_by_family import render
from tests.strategies_documents import documents
from tests.thoroughness import examples

GL = "urn:iec62325.351:tc57wg16:451-6:generationloaddocument:3:1"
POINT = "<Point><position>1</position><quantity>1</quantity></Point>"
SCHEDULE = """<GL_MarketDocument xmlns="{namespace}">
  <mRID>1</mRID>
  <revisionNumber>1</revisionNumber>
  <type>A67</type>
  <process.processType>A01</process.processType>
  <sender_MarketParticipant.mRID codingScheme="A01">45X-AGR-ONE-DEMO</sender_MarketParticipant.mRID>
  <sender_MarketParticipant.marketRole.type>A27</sender_MarketParticipant.marketRole.type>
  <receiver_MarketParticipant.mRID codingScheme="A01">45X-TPS-HUB-DEM8</receiver_MarketParticipant.mRID>
  <receiver_MarketParticipant.marketRole.type>A32</receiver_MarketParticipant.marketRole.type>
  <createdDateTime>2020-05-04T08:00:00Z</createdDateTime>
  <time_Period.timeInterval><start>2020-05-04T22:00Z</start><end>2020-05-05T22:00Z</end></time_Period.timeInterval>
  <TimeSeries>
    <mRID>1</mRID>
    <businessType>A07</businessType>
    <objectAggregation>A06</objectAggregation>
    <registeredResource.mRID codingScheme="NDK">R1</registeredResource.mRID>
    <quantity_Measure_Unit.name>KWT</quantity_Measure_Unit.name>
    <curveType>A03</curveType>
    <Period>
      <timeInterval><start>2020-05-04T22:00Z</start><end>2020-05-05T22:00Z</end></timeInterval>
      <resolution>PT15M</resolution>
      {points}
    </Period>
  </TimeSeries>
</GL_MarketDocument>
"""


def schedule(points: str = POINT, *, namespace: str = GL) -> str:
    return SCHEDULE.format(points=points, namespace=namespace)


BILLION_LAUGHS = (
    '<!DOCTYPE l [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {after} "{f"&{before};" * 10}">' for before, after in zip("abcdefgh", "bcdefghi", strict=True))
    + "]><l>&i;</l>"
)
DOCTYPES = {
    "plain": "<!DOCTYPE GL_MarketDocument><GL_MarketDocument/>",
    "external": '<!DOCTYPE a SYSTEM "http://localhost/a.dtd"><a/>',
    "file": '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "parameter": '<!DOCTYPE a [<!ENTITY % b SYSTEM "file:///etc/passwd"> %b;]><a/>',
    "laughs": BILLION_LAUGHS,
    "quadratic": f'<!DOCTYPE a [<!ENTITY b "{"x" * 50_000}">]><a>{"&b;" * 50_000}</a>',
    "default": '<!DOCTYPE a [<!ATTLIST a b CDATA "c">]><a/>',
    "after all that may precede": '<?xml version="1.0"?>\n<!-- <a> -->\n<?pi <a>?>\n<!DOCTYPE a><a/>',
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("text", DOCTYPES.values(), ids=DOCTYPES)
def test_trap_12_a_document_type_declaration_is_refused_in_any_encoding(text: str, encoding: str) -> None:
    with pytest.raises(Malformed, match=r"document type declaration.*At line \d+. Leave <!DOCTYPE"):
        registry.read(text.encode(encoding))


def test_a_declaration_that_is_only_mentioned_is_no_declaration() -> None:
    text = schedule().replace("KWT<", "KWT<!-- <!DOCTYPE a> --><").replace("<mRID>1", "<mRID><![CDATA[<!DOCTYPE]]>", 1)

    assert registry.read(text.encode()).mrid == "<!DOCTYPE"


@pytest.mark.parametrize("text", ["<a>&b;</a>", "<a b='&c;'/>", "<a>&#0;</a>", "<a>&#xD800;</a>"])
def test_unknown_entities_and_forbidden_characters_are_refused(text: str) -> None:
    with pytest.raises(Malformed, match="no well-formed XML"):
        registry.read(text.encode())


def test_depth_is_bounded() -> None:
    with pytest.raises(Malformed, match="depth"):
        registry.read(b"<a>" * 100_000)
    with pytest.raises(Malformed, match="depth"):
        registry.read(schedule("<a>" * 5_000 + "</a>" * 5_000).encode())


def test_size_is_refused_before_parsing() -> None:
    with pytest.raises(Malformed, match="has 104857600 bytes, at most 16777216 are taken"):
        registry.read(b"<" * 100 * 2**20)


@pytest.mark.parametrize(
    ("floods", "words"),
    [
        ("<a/>" * 1_500_001, "more than 1500000 tags"),
        ('<a b=""/>' * 400_001, "more than 400000 attributes"),
        ("<a " + " ".join(f'b{number}=""' for number in range(20_000)) + "/>", "more than 63 attributes"),
        ("<a " + " ".join(f"xmlns:b{number} = '>'" for number in range(20_000)) + "/>", "more than 63 attributes"),
    ],
    ids=["elements", "attributes", "one element", "namespaces"],
)
def test_floods_are_refused_before_parsing(floods: str, words: str) -> None:
    with pytest.raises(Malformed, match=words):
        registry.read(f"<r>{floods}</r>".encode())


def test_many_equal_signs_in_text_are_no_attributes() -> None:
    text = schedule().replace("<Period>", f"<!-- {'= ' * 20_000} --><Period>")

    assert isinstance(registry.read(text.encode()), GlMarketDocument)


MEASURED = """
import resource, sys
from tests.unit import test_hostile_xml as hostile
data = getattr(hostile, sys.argv[1])()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
hostile.registry.identify(hostile.schedule().encode())
try: hostile.registry.read(data)
except hostile.DocumentError as error: print(error)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print((after - before) // 1024)
"""


def a_million_points() -> bytes:
    return schedule("<Point><position>1</position><quantity>1</quantity></Point>" * 1_000_000).encode()


def as_many_points_as_are_taken() -> bytes:
    return schedule(POINT * 240_000).encode()


def as_many_wrong_points_as_fit() -> bytes:
    return schedule("<Point><position/><quantity/></Point>" * 240_000).encode()


def as_many_attributes_as_are_taken() -> bytes:
    return schedule('<Point a=""/>' * 390_000).encode()


def as_many_unknown_prefixes_as_are_taken() -> bytes:
    return schedule("<a:b/>" * 1_400_000).encode()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (a_million_points, "at most 16777216 are taken"),
        (as_many_points_as_are_taken, ""),
        (as_many_wrong_points_as_fit, "element TimeSeries/Period/Point[1]/position"),
        (as_many_attributes_as_are_taken, "element TimeSeries/Period/Point[1]"),
        (as_many_unknown_prefixes_as_are_taken, "a:b"),
    ],
)
def test_memory_is_bounded_whatever_a_document_holds(content: Callable[[], bytes], words: str) -> None:
    program = [sys.executable, "-c", MEASURED, content.__name__]

    *said, mebibytes = subprocess.run(program, capture_output=True, text=True, check=True).stdout.splitlines()

    assert words in " ".join(said)
    assert int(mebibytes) < 400


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_trap_10_utf_8_and_marked_utf_16_are_read_alike(encoding: str) -> None:
    named = {"utf-16": "UTF-16"}.get(encoding, "utf-8")
    text = f'<?xml version="1.0" encoding="{named}"?>\n' + schedule().replace(">R1<", ">Ærø-1<")

    document = registry.read(text.encode(encoding))

    assert isinstance(document, GlMarketDocument)
    assert document.series[0].resource == "NDK:Ærø-1"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (schedule().encode("utf-16-le"), "UTF-16 without a byte order mark"),
        (schedule().encode("utf-16-be"), "UTF-16 without a byte order mark"),
        (schedule().encode("utf-32"), "UTF-32"),
        (schedule().encode().replace(b"KWT", b"K\0T"), "zero byte"),
        (b"\xff\xfe<\0a", "starts as UTF-16 but is none"),
        (schedule().replace("R1", "Ærø").encode("latin-1"), "no well-formed XML"),
        (b'<?xml version="1.0" encoding="ISO-8859-1"?><a/>', "declares the encoding ISO-8859-1"),
        (b'<?xml version="1.0" encoding="UTF-7"?><a/>', "declares the encoding UTF-7"),
        (b'<?xml version="1.0" encoding="UTF-16"?><a/>', "declares the encoding UTF-16; this one was read as UTF-8"),
        ('<?xml version="1.0" encoding="UTF-8"?><a/>'.encode("utf-16"), "declares the encoding UTF-8"),
        (b"", "no well-formed XML"),
        (b"\xef\xbb\xbf", "no well-formed XML"),
        (schedule().encode()[:-30], "no well-formed XML"),
        (schedule().encode() + b"<a/>", "no well-formed XML"),
    ],
)
def test_other_encodings_and_broken_documents_are_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises(Malformed, match=words) as refused:
        registry.read(data)

    assert refused.value.mend


LONG = POINT * 2_000


@pytest.mark.parametrize("points", [POINT, LONG], ids=["short", "long"])
def test_trap_11_the_right_root_in_another_namespace_is_unknown(points: str) -> None:
    outage = next(version.namespace for version in VERSIONS if version.family == "Unavailability")

    for namespace in (outage, "", GL.upper(), "urn:foreign"):
        with pytest.raises(UnknownDocument, match="unknown document"):
            registry.read(schedule(points, namespace=namespace).encode())


@pytest.mark.parametrize("points", [POINT, LONG], ids=["short", "long"])
def test_trap_10_prefix_and_unused_declarations_are_free(points: str) -> None:
    text = schedule(points)
    prefixed = text.replace("<", "<cim:").replace("<cim:/", "</cim:").replace("xmlns=", "xmlns:cim=")
    location = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="urn:a a.xsd" xmlns:b="urn:b" '

    assert registry.read(prefixed.encode()) == registry.read(text.encode())
    assert registry.read(text.replace("xmlns=", f"{location}xmlns=").encode()) == registry.read(text.encode())


@pytest.mark.parametrize("points", [POINT, LONG], ids=["short", "long"])
def test_an_element_in_another_namespace_is_foreign_even_with_the_right_name(points: str) -> None:
    for change in ('<TimeSeries xmlns="urn:foreign">', '<TimeSeries xmlns="">'):
        with pytest.raises(SchemaInvalid, match="line 12, element TimeSeries"):
            registry.read(schedule(points).replace("<TimeSeries>", change).encode())


def test_a_finding_in_a_document_with_a_prefix_is_located() -> None:
    prefixed = schedule(POINT * 2 + POINT.replace("<quantity>1", "<quantity>x")).replace("<", "<cim:")
    prefixed = prefixed.replace("<cim:/", "</cim:").replace("xmlns=", "xmlns:cim=")

    with pytest.raises(SchemaInvalid) as refused:
        registry.read(prefixed.encode())

    assert refused.value.where == "line 22, element TimeSeries/Period/Point[3]/quantity"


def test_processing_instructions_and_comments_say_nothing() -> None:
    text = schedule().replace("<mRID>1<", "<mRID><!-- a --><?b c?>1<!-- d --><").replace(">A67<", ">A6<!-- e -->7<")

    assert registry.read(text.encode()) == registry.read(schedule().encode())


def test_nothing_is_included() -> None:
    included = '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd" parse="text"/>'

    with pytest.raises(SchemaInvalid, match="include"):
        registry.read(schedule(included).encode())


FRAGMENTS = st.sampled_from(
    [
        *(
            "<",
            ">",
            "</",
            "/>",
            "<!--",
            "-->",
            "<![CDATA[",
            "]]>",
            "<?xml ",
            "?>",
            "<!DOCTYPE a [",
            "&amp;",
            "&a;",
            "\0",
        ),
        *(schedule()[:90], schedule(), f'<GL_MarketDocument xmlns="{GL}">', "</GL_MarketDocument>", "<TimeSeries>"),
        *(' encoding="utf-8"', ' encoding="utf-16"', "\ufeff", "\u00e6", "\U0001f600", "\ud7ff", " ", "\n"),
    ]
)


@given(st.binary(max_size=200) | st.lists(FRAGMENTS, max_size=8).map(lambda parts: "".join(parts).encode()))
@example(b"\xff\xfe")
@example(b"\xfe\xff\xd8\x00")
def test_any_bytes_give_a_document_or_an_error_that_says_why(data: bytes) -> None:
    assert_read_or_refused(data)


@given(documents, st.data())
@settings(max_examples=examples(100))
def test_any_damage_to_a_document_gives_a_document_or_an_error_that_says_why(
    document: Document, data: st.DataObject
) -> None:
    written = bytearray(render(document))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(written) - 1))
        match data.draw(st.sampled_from(("byte", "cut", "repeat"))):
            case "byte":
                written[place] = data.draw(st.integers(0, 255))
            case "cut":
                del written[place : place + data.draw(st.integers(1, 40))]
            case "repeat":
                written[place:place] = written[max(0, place - 40) : place]
        if not written:
            break

    assert_read_or_refused(bytes(written))


def assert_read_or_refused(data: bytes) -> None:
    refused = ""
    try:
        read = registry.read(data)
    except DocumentError as error:
        read, refused = None, error.found
    assert (read is None) == bool(refused)
    assert len(refused) < 1000
