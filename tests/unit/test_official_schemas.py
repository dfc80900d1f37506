"""Our schemas judge as the official ones with code list V94 do; what we write is valid by them with any code list."""

import copy
import functools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from lxml import etree
from lxml.etree import _Element as Element

from documents import content_model, registry
from documents.errors import SchemaInvalid, UnknownDocument
from documents.model import Document, ProblemStatementMarketDocument
from documents.versions import VERSIONS, Version
from tests.official_schemas import Instances, code_list, schema_files, with_code_lists
from tests.strategies_documents import documents
from tests.thoroughness import examples

NAMES = [f"{version.root} {version.number}" for version in VERSIONS]
LENGTHS = (1, 15, 16, 17, 18, 19, 34, 35, 36, 59, 60, 61, 149, 150, 151, 199, 200, 201, 511, 512, 513)
MINUTES = (
    "2020-02-29",
    "2019-02-29",
    "2019-02-28",
    "1900-02-29",
    "2000-02-29",
    "2020-04-30",
    "2020-04-31",
    "2020-12-31",
)
VALUES = (
    *(
        "",
        " ",
        "text",
        " A01 ",
        "A01\n",
        "a01",
        "A01 A02",
        "ZZZ",
        "A05",
        "A53",
        "999",
        "MAW",
        "KWT",
        "1",
        "0",
        "-1",
        "+1",
    ),
    *("999999", "1000000", "01", "007", "1000", "1.5", ".5", "5.", ".", "1e3", "NaN", "INF", "1,5", " 1 ", "875.4"),
    *("875.42", "1.2.3", "0x1", "1_0", "2020-01-01", "2020-01-01Z", "2020-01-01+02:00", "2020-02-30", "20-1-1"),
    *("-2020-01-01", "08:00:00", "08:00:00Z", "08:00:00+02:00", "24:00:00", "25:00:00", "08:00", "08:00:00.5Z"),
    *("PT15M", "P1D", "-PT15M", "P1Y2M", "PT", "15M", "P7D", "PT0.5S", "2020-01-01T24:00Z", "2020-01-01T00:60Z"),
    *(
        "2020-01-01T00:00:00.000Z",
        "2020-01-01T00:00:00+00:00",
        "2020-01-01T00:00:00",
        "2020-01-01T00:00",
        "0000-01-01T00:00Z",
    ),
    *("0000-01-01T00:00:00Z", " 2020-01-01T00:00Z", "2020-01-01T00:00Z ", " 2020-01-01T00:00:00Z ", "2020-1-1T00:00Z"),
    *("2020-01-01T00:00z", "2020-13-01T00:00Z", "2020-00-01T00:00Z", "2020-01-00T00:00Z", "12020-01-01T00:00Z"),
    *("\u0662020-01-01T00:00Z", "2020-01-01T23:59:59Z", "2020-01-01T23:59:60Z"),
    *(f"{day}T08:00Z" for day in MINUTES),
    *(f"{day}T08:00:00Z" for day in MINUTES),
    *("\u00e5" * length for length in LENGTHS),
)


@pytest.fixture(scope="session")
def official(shared: Path) -> dict[str, Path]:
    return schema_files(shared / "standards" / "xsd")


@functools.cache
def compiled(path: Path) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(path))


def instances(version: Version, path: Path) -> Iterator[Element]:
    """Full and least instances, made from the official schema and from ours."""
    for schema in (etree.parse(path).getroot(), etree.fromstring(content_model.schema_text(version))):
        for least in (False, True):
            yield Instances(schema, version).make(least=least)


def is_valid(root: Element, version: Version) -> bool:
    return refusal(functools.partial(content_model.check, root, version)) is None


def refusal(judge: Callable[[], object]) -> SchemaInvalid | None:
    """Return the finding, which has all its parts, or None."""
    try:
        judge()
    except SchemaInvalid as error:
        return error if error.found and error.where and error.mend else None
    return None


@pytest.mark.parametrize("version", VERSIONS, ids=NAMES)
def test_full_and_least_documents_are_valid_by_both_schemas(version: Version, official: dict[str, Path]) -> None:
    schema = compiled(official[version.namespace])

    judged = [(schema.validate(one), is_valid(one, version)) for one in instances(version, official[version.namespace])]

    assert judged == [(True, True)] * 4


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS, ids=NAMES)
def test_every_change_of_structure_is_judged_alike(version: Version, official: dict[str, Path]) -> None:
    schema, verdicts = compiled(official[version.namespace]), {True: 0, False: 0}
    for instance in instances(version, official[version.namespace]):
        for change, mutant in structural(instance):
            expected = schema.validate(mutant)
            verdicts[expected] += 1
            assert is_valid(mutant, version) is expected, change

    assert verdicts[True] > 4
    assert verdicts[False] > 100


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS, ids=NAMES)
def test_every_change_of_a_value_is_judged_alike(version: Version, official: dict[str, Path]) -> None:
    schema, verdicts = compiled(official[version.namespace]), {True: 0, False: 0}
    instance = Instances(etree.parse(official[version.namespace]).getroot(), version).make(least=False)
    for leaf in [one for one in instance.iter() if not len(one)]:
        written = leaf.text
        for value in VALUES:
            leaf.text = value
            expected = schema.validate(instance)
            verdicts[expected] += 1
            assert is_valid(instance, version) is expected, f"{leaf.tag!r} = {value!r}"
        leaf.text = written

    assert min(verdicts.values()) > 100


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS, ids=NAMES)
def test_a_long_document_is_judged_as_a_short_one_and_in_the_same_words(
    version: Version, official: dict[str, Path]
) -> None:
    for instance in instances(version, official[version.namespace]):
        for change, mutant in [("nothing", instance), *structural(instance)]:
            text = etree.tostring(mutant)
            streamed = refusal(functools.partial(content_model.load, text, version))
            whole = refusal(functools.partial(content_model.check, etree.fromstring(text), version))
            assert str(streamed) == str(whole), change


def structural(instance: Element) -> Iterator[tuple[str, Element]]:
    """Yield each change of one element of `instance`; the changed tree is taken back before the next."""
    for index, element in enumerate(instance.iter()):
        name = etree.QName(element).localname
        for change in CHANGES:
            root = copy.deepcopy(instance)
            change(list(root.iter())[index])
            yield f"{change.__name__} {name}", root


def drop(element: Element) -> None:
    parent = element.getparent()
    if parent is not None:
        parent.remove(element)


def repeat(element: Element) -> None:
    if element.getparent() is not None:
        element.addnext(copy.deepcopy(element))


def swap(element: Element) -> None:
    following = element.getnext()
    if following is not None:
        following.addnext(element)


def put_last(element: Element) -> None:
    parent = element.getparent()
    if parent is not None:
        parent.append(element)


def rename(element: Element) -> None:
    element.tag = str(element.tag) + "X"


def take_out_of_namespace(element: Element) -> None:
    element.tag = etree.QName(element).localname


def move_to_a_foreign_namespace(element: Element) -> None:
    element.tag = f"{{urn:foreign}}{etree.QName(element).localname}"


def empty(element: Element) -> None:
    element[:], element.text = [], None


def add_a_foreign_child(element: Element) -> None:
    etree.SubElement(element, f"{{{etree.QName(element).namespace}}}extra").text = "x"


def add_text(element: Element) -> None:
    element.text = (element.text or "") + "text"


def add_text_behind(element: Element) -> None:
    if element.getparent() is not None:
        element.tail = "text"


def add_white_space(element: Element) -> None:
    element.text = "\n " + (element.text or "")


def add_a_foreign_attribute(element: Element) -> None:
    element.set("extra", "x")


def add_an_attribute_of_a_namespace(element: Element) -> None:
    element.set("{urn:foreign}extra", "x")


def add_a_schema_location(element: Element) -> None:
    element.set("{http://www.w3.org/2001/XMLSchema-instance}schemaLocation", "urn:x x.xsd")


def set_nil(element: Element) -> None:
    element.set("{http://www.w3.org/2001/XMLSchema-instance}nil", "true")


def drop_attributes(element: Element) -> None:
    element.attrib.clear()


def set_coding_scheme(element: Element) -> None:
    element.set("codingScheme", "A10")


def pad_coding_scheme(element: Element) -> None:
    element.set("codingScheme", " A01 ")


def set_wrong_coding_scheme(element: Element) -> None:
    element.set("codingScheme", "X99")


def set_unit(element: Element) -> None:
    element.set("unit", "MAW")


def pad_unit(element: Element) -> None:
    element.set("unit", " KVT ")


CHANGES = (
    *(drop, repeat, swap, put_last, rename, take_out_of_namespace, move_to_a_foreign_namespace, empty),
    *(add_a_foreign_child, add_text, add_text_behind, add_white_space, add_a_foreign_attribute),
    *(add_an_attribute_of_a_namespace, add_a_schema_location, set_nil, drop_attributes),
    *(set_coding_scheme, pad_coding_scheme, set_wrong_coding_scheme, set_unit, pad_unit),
)


OFFICIAL_LISTS = {
    "BusinessType": "BusinessTypeList",
    "CodingScheme": "CodingSchemeTypeList",
    "CurveType": "CurveTypeList",
    "Indicator": "IndicatorTypeList",
    "MessageType": "MessageTypeList",
    "ObjectAggregation": "ObjectAggregationTypeList",
    "ProcessType": "ProcessTypeList",
    "PsrType": "AssetTypeList",
    "ReasonCode": "ReasonCodeTypeList",
    "Role": "RoleTypeList",
    "Status": "StatusTypeList",
    "Timeframe": "TimeframeTypeList",
    "UnitOfMeasure": "UnitOfMeasureTypeList",
    "UnitSymbol": "UnitSymbol",
}


def test_the_code_lists_are_those_of_v94(shared: Path) -> None:
    ours = {name: set(codes) for name, codes in content_model.code_lists().items()}

    assert ours == {name: code_list(shared / "standards/xsd", theirs) for name, theirs in OFFICIAL_LISTS.items()}


def test_leap_days_of_four_centuries_are_judged_alike(official: dict[str, Path]) -> None:
    version = next(version for version in VERSIONS if version.family == "GL" and version.emitted)
    path = official[version.namespace]
    instance = Instances(etree.parse(path).getroot(), version).make(least=True)
    created = next(instance.iter("{*}createdDateTime"))
    start = next(instance.iter("{*}start"))
    minute = str(start.text)

    for year in (*range(1600, 2000), 1, 4, 100, 400, 9996, 9999):
        for day in (28, 29, 30):
            start.text = f"{year:04}-02-{day}T00:00Z"
            assert is_valid(instance, version) is compiled(path).validate(instance), start.text
        start.text = minute
        created.text = f"{year:04}-02-29T00:00:00Z"
        assert is_valid(instance, version) is compiled(path).validate(instance), created.text
        created.text = "2020-05-04T08:00:00Z"


def samples(shared: Path) -> dict[str, bool]:
    """File names of the manifest, with its verdict."""
    manifest = (shared / "standards/samples/MANIFEST.md").read_text("utf-8")
    rows = re.findall(r"^\| (\S+\.xml) \|[^|]+\| (\w+)", manifest, re.MULTILINE)
    return {name: verdict == "VALID" for name, verdict in rows}


def test_every_real_sample_is_judged_as_its_manifest_says(shared: Path) -> None:
    judged: dict[str, bool | str] = {}
    expected: dict[str, bool | str] = {}
    for name, valid in samples(shared).items():
        data = (shared / "standards/samples" / name).read_bytes()
        expected[name] = "unknown" if "configurationdocument" in data.decode() else valid
        try:
            registry.read(data)
            judged[name] = True
        except UnknownDocument:
            judged[name] = "unknown"
        except SchemaInvalid:
            judged[name] = False

    assert len(judged) == len(list((shared / "standards/samples").glob("*.xml")))
    assert judged == expected


def test_every_mapping_example_is_valid_and_what_we_write_of_it_is_the_same(shared: Path) -> None:
    files = sorted((shared / "standards/mapping-examples").glob("*.xml"))

    assert len(files) == 16
    for file in files:
        document = registry.read(file.read_bytes())
        assert registry.read(registry.render(document)) == document, file.name


@pytest.fixture(scope="session", params=["V94", "codelists-v91-nordic", "codelists-v77"])
def emitted_schemas(
    request: pytest.FixtureRequest, shared: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, etree.XMLSchema]:
    """The official schemas of the versions we emit, with one of the code lists."""
    folder = shared / "standards/xsd"
    if request.param != "V94":
        folder = with_code_lists(folder, request.param, tmp_path_factory.mktemp("xsd"))
    files = schema_files(folder)
    return {version.namespace: compiled(files[version.namespace]) for version in VERSIONS if version.emitted}


def is_sent(document: Document) -> bool:
    """Whether we send such documents at all."""
    return not isinstance(document, ProblemStatementMarketDocument)


@given(document=documents.filter(is_sent))
@settings(max_examples=examples(60))
def test_what_we_write_is_valid_by_the_official_schema_with_every_code_list(
    emitted_schemas: dict[str, etree.XMLSchema], document: Document
) -> None:
    root = etree.fromstring(registry.render(document))

    schema = emitted_schemas[str(etree.QName(root).namespace)]
    assert schema.validate(root), schema.error_log
