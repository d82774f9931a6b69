//! Broken, hostile or far too large schemas: each gives an error with its place, in little time and on a small stack.
//! The conformance crate tests the effect of names on generated code, as it compiles that code.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use gannet_codecs::gate::compare;
use gannet_codecs::generate::{self, generate};
use gannet_codecs::schema::{Options, Report, compile_file, compile_text};

const HEADER: &str = "<composite name='messageHeader'><type name='blockLength' primitiveType='uint16'/>\
    <type name='templateId' primitiveType='uint16'/><type name='schemaId' primitiveType='uint16'/>\
    <type name='version' primitiveType='uint16'/></composite>\
    <composite name='groupSizeEncoding'><type name='blockLength' primitiveType='uint16'/>\
    <type name='numInGroup' primitiveType='uint8'/></composite>";

/// More than any of these takes on a busy machine, and far less than work that is quadratic in megabytes would take.
const LONG: Duration = Duration::from_secs(1800);
/// The default stack size of threads.
const STACK: usize = 2 << 20;
const TEN_MEGABYTES: usize = 10 << 20;
const TWO_MEGABYTES: usize = 2 << 20;

fn schema(types: &str, rest: &str) -> String {
    format!("<messageSchema package='t' id='1' version='1'>\n<types>{HEADER}\n{types}</types>\n{rest}</messageSchema>")
}

/// Compiles on a small stack, and measures the time. Writing the report is included.
fn compile(text: String) -> Result<Report, Report> {
    let started = Instant::now();
    let work = move || {
        let compiled = compile_text("hostile.xml", &text, &Options::default())?;
        // An accepted schema is compared with itself, and must be equal.
        let comparison = compare(&compiled.schema, &compiled.schema);
        assert!(comparison.changes().is_empty(), "{comparison}");
        Ok(compiled.report)
    };
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(work).expect("a thread can be started");
    let report = thread.join().expect("nothing panics");
    let (Ok(shown) | Err(shown)) = &report;
    assert!(shown.to_string().len() + shown.to_json_lines().len() < 8 << 20, "what is shown is bounded too");
    assert!(started.elapsed() < LONG, "it took {:?}", started.elapsed());
    report
}

/// Asserts that a schema is refused with that code, at a place.
fn refused(text: String, code: &str) -> Report {
    let report = compile(text).expect_err("it is refused");
    let found =
        report.errors().find(|found| found.code == code).unwrap_or_else(|| panic!("{code} is missing: {report}"));
    let position = report.sources().position(found.place).unwrap_or_else(|| panic!("{code} has no place"));
    assert!(position.line > 0 && position.column > 0 && !position.file.is_empty());
    assert!(found.hint.is_some() || !found.related.is_empty(), "{code} says no way out");
    report
}

/// Two megabytes: debug builds are slow, and quadratic work would show with two megabytes already.
fn repeat(unit: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    let mut at = 0;
    while text.len() < TWO_MEGABYTES {
        text += &unit(at);
        at += 1;
    }
    text
}

#[test]
fn types_that_contain_themselves_are_refused() {
    for types in [
        "<composite name='C'><ref name='a' type='C'/></composite>",
        "<composite name='C'><ref name='a' type='D'/></composite><composite name='D'><ref name='a' type='C'/></composite>",
        "<composite name='C'><composite name='i'><composite name='j'><ref name='a' type='C'/></composite></composite></composite>",
        "<composite name='A'><ref name='a' type='B'/></composite><composite name='B'><ref name='a' type='C'/></composite>\
         <composite name='C'><ref name='x' type='A'/><ref name='y' type='B'/></composite>",
    ] {
        refused(schema(types, ""), "cyclic-type");
    }
    let header = "<messageSchema package='t' id='1'><types><composite name='messageHeader'>\
        <ref name='blockLength' type='messageHeader'/></composite></types></messageSchema>";
    refused(header.to_owned(), "cyclic-type");
}

#[test]
fn enums_over_themselves_and_values_of_nothing_are_refused() {
    refused(schema("<enum name='E' encodingType='E'><validValue name='a'>1</validValue></enum>", ""), "cyclic-type");
    refused(schema("<set name='S' encodingType='S'/>", ""), "cyclic-type");
    refused(schema("<type name='T' primitiveType='T'/>", ""), "unknown-primitive");
    refused(schema("<type name='T' primitiveType='int8' presence='constant' valueRef='T.x'/>", ""), "value-ref");
}

#[test]
fn values_out_of_range_are_refused() {
    for (code, types) in [
        ("malformed-value", "<type name='T' primitiveType='float' maxValue='1e39'/>"),
        ("malformed-value", "<type name='T' primitiveType='double' nullValue='-1e999'/>"),
        ("malformed-value", "<type name='T' primitiveType='uint64' maxValue='18446744073709551616'/>"),
        ("malformed-value", "<type name='T' primitiveType='int8' minValue='-129'/>"),
        ("malformed-value", "<type name='T' primitiveType='int8' presence='constant'>128</type>"),
        ("malformed-value", "<type name='T' primitiveType='char' nullValue=''/>"),
        ("malformed-number", "<type name='T' primitiveType='int8' length='99999999999999999999999'/>"),
        ("malformed-number", "<type name='T' primitiveType='int8' sinceVersion='-1'/>"),
        ("too-long", "<type name='T' primitiveType='int64' length='2147483647'/>"),
        ("too-long", "<type name='T' primitiveType='char' length='2147483647' presence='constant'>x</type>"),
        ("too-long", "<composite name='C'><type name='a' primitiveType='int8' offset='2147483647'/></composite>"),
        ("choice-bit", "<set name='S' encodingType='uint8'><choice name='c'>99999999999</choice></set>"),
    ] {
        refused(schema(types, ""), code);
    }
    for (code, message) in [
        ("does-not-fit", "<message name='M' id='65536'/>"),
        ("does-not-fit", "<message name='M' id='1' blockLength='65536'/>"),
        ("does-not-fit", "<message name='M' id='1'><field name='a' id='1' type='int8' offset='65535'/></message>"),
        ("malformed-number", "<message name='M' id='2147483648'/>"),
        ("block-length", "<message name='M' id='1' blockLength='1'><field name='a' id='1' type='int16'/></message>"),
    ] {
        refused(schema("", message), code);
    }
}

#[test]
fn headers_and_dimensions_that_say_something_else_are_refused() {
    let header = |member: &str| {
        format!(
            "<messageSchema package='t' id='7'><types><composite name='messageHeader'>\
             <type name='blockLength' primitiveType='uint16'/><type name='templateId' primitiveType='uint16'/>\
             {member}<type name='version' primitiveType='uint16'/></composite></types>\
             <message name='M' id='1'/></messageSchema>"
        )
    };
    let constant = |id: u32| format!("<type name='schemaId' primitiveType='uint16' presence='constant'>{id}</type>");
    assert!(compile(header(&constant(7))).is_ok(), "a constant that is right is one");
    refused(header(&constant(8)), "does-not-fit");
    refused(header(""), "header");
    refused(header("<type name='schemaId' primitiveType='uint16' length='2'/>"), "header");
    refused(header("<type name='schemaId' primitiveType='float'/>"), "header");
    refused(header("<composite name='schemaId'/>"), "header");
    let signed =
        header(&constant(7)).replace("'blockLength' primitiveType='uint16'", "'blockLength' primitiveType='int16'");
    refused(signed, "header");
    let narrow = header(&constant(7)).replace("'uint16'", "'uint8'").replace("id='1'", "id='256'");
    refused(narrow, "does-not-fit");
    let dimension = "<composite name='D'><type name='blockLength' primitiveType='uint16'/>\
        <type name='numInGroup' primitiveType='uint8' presence='constant'>2</type></composite>";
    let group = "<message name='M' id='1'><group name='g' id='1' dimensionType='D'/></message>";
    refused(schema(dimension, group), "dimension");
    let data = "<composite name='D'><type name='length' primitiveType='uint8'/>\
        <type name='varData' primitiveType='uint8'/><type name='more' primitiveType='uint8'/></composite>";
    refused(schema(data, "<message name='M' id='1'><data name='d' id='1' type='D'/></message>"), "data");
}

#[test]
fn deep_nesting_is_refused_on_a_small_stack() {
    let around = |open: &str, close: &str, deep: usize| open.repeat(deep) + &close.repeat(deep);
    for deep in [40, 100, 5000, 500_000] {
        refused(schema(&around("<composite name='x'>", "</composite>", deep), ""), "too-deep");
        let groups: String = (0..deep).map(|at| format!("<group name='g{at}' id='{at}'>")).collect();
        let groups = format!("<message name='M' id='1'>{groups}{}</message>", "</group>".repeat(deep));
        refused(schema("", &groups), "too-deep");
    }
    refused(around("<a>", "</a>", 1_000_000), "too-deep");
    // Code can also be generated from the greatest allowed depth on such a stack.
    let groups: String = (0..16).map(|at| format!("<group name='g{at}' id='{at}'>")).collect();
    let groups = format!("<message name='M' id='1'>{groups}{}</message>", "</group>".repeat(16));
    let text = schema(&around("<composite name='x'>", "</composite>", 16), &groups);
    let work = move || {
        let compiled = compile_text("deep.xml", &text, &Options::default()).unwrap_or_else(|report| panic!("{report}"));
        generate(&compiled.schema, &generate::Options::default()).expect("an accepted schema has code").len()
    };
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(work).expect("a thread can be started");
    assert!(thread.join().expect("nothing panics") > 10_000);
    let mut chain = String::from("<composite name='C0'><type name='a' primitiveType='uint8'/></composite>");
    for level in 1..50_000 {
        let _ = write!(chain, "<composite name='C{level}'><ref name='a' type='C{}'/></composite>", level - 1);
    }
    // In the order of the file each is resolved once; in reverse order the first resolves all.
    let mut last_first: Vec<&str> = chain.split_inclusive("</composite>").collect();
    last_first.reverse();
    let last_first = last_first.concat();
    refused(schema(&last_first, ""), "too-deep");
    assert!(compile(schema(&chain, "")).is_err_and(|report| report.errors().any(|found| found.code == "too-deep")));
}

#[test]
fn types_are_nested_as_deep_however_they_are_written() {
    let leaf = "<type name='a' primitiveType='uint8'/><enum name='e' encodingType='uint8'/>";
    for (deep, accepted) in [(16, true), (17, false)] {
        let inside = format!("{}{leaf}{}", "<composite name='x'>".repeat(deep), "</composite>".repeat(deep));
        let mut references = format!("<composite name='C1'>{leaf}</composite>");
        for level in 2..=deep {
            let _ = write!(references, "<composite name='C{level}'><ref name='a' type='C{}'/></composite>", level - 1);
        }
        let mut last_first: Vec<&str> = references.split_inclusive("</composite>").collect();
        last_first.reverse();
        for types in [&inside, &references, &last_first.concat()] {
            let report = compile(schema(types, ""));
            assert_eq!(report.is_ok(), accepted, "{deep} deep: {types}");
        }
    }
}

#[test]
fn names_that_no_compiler_likes_are_refused() {
    let message = |length: usize| format!("<message name='{}' id='1'/>", "m".repeat(length));
    assert!(compile(schema("", &message(1000))).is_ok());
    let report = refused(schema("", &message(1001)), "too-long");
    assert!(report.to_string().contains("1001 bytes long"), "{report}");
}

#[test]
fn references_that_multiply_are_refused() {
    let mut types = String::from("<composite name='C0'><type name='a' primitiveType='uint8'/></composite>");
    for level in 1..30 {
        let members: String = (0..10).map(|at| format!("<ref name='m{at}' type='C{}'/>", level - 1)).collect();
        let _ = write!(types, "<composite name='C{level}'>{members}</composite>");
    }
    refused(schema(&types, ""), "too-many-values");
}

#[test]
fn entities_and_document_types_are_refused() {
    let laughs: String = (1..10).fold("<!ENTITY l0 'lol'>".to_owned(), |mut all, at| {
        let _ = write!(all, "<!ENTITY l{at} '{}'>", format!("&l{};", at - 1).repeat(10));
        all
    });
    for subset in [
        laughs.as_str(),
        "<!ENTITY x SYSTEM 'file:///etc/passwd'>",
        "<!ENTITY % x SYSTEM 'http://example.invalid/x.dtd'> %x;",
        "<!ENTITY x 'y'>",
        "",
    ] {
        let text = format!("<!DOCTYPE messageSchema [{subset}]>\n<messageSchema package='&l9;&x;' id='1'/>");
        let report = refused(text, "malformed-xml");
        assert!(report.to_string().contains("document type declaration"), "{report}");
    }
    refused("<!DOCTYPE m SYSTEM 'http://example.invalid/m.dtd'><m/>".to_owned(), "malformed-xml");
    refused("<messageSchema package='&nothing;' id='1'/>".to_owned(), "malformed-xml");
    refused("<messageSchema package='&#0;' id='1'/>".to_owned(), "malformed-xml");
}

#[test]
fn text_that_is_no_schema_is_refused() {
    for text in [
        "",
        " ",
        "<",
        "<a",
        "<a>",
        "</a>",
        "<a></b>",
        "<a b/>",
        "<a b='1' b='2'/>",
        "{}",
        "<a/><b/>",
        "\u{feff}",
        "<a><!--",
        "<a><![CDATA[",
    ] {
        refused(text.to_owned(), "malformed-xml");
    }
    refused("<types/>".to_owned(), "not-a-schema");
    refused("<html><body/></html>".to_owned(), "not-a-schema");
    let folder = tempfile::tempdir().expect("a folder can be made");
    for (name, bytes) in
        [("latin.xml", &b"<a b='\xFC'/>"[..]), ("wide.xml", b"\xFF\xFE<\0a\0/\0>\0"), ("zero.xml", b"\0\0\0")]
    {
        std::fs::write(folder.path().join(name), bytes).expect("a file can be written");
        assert!(compile_file(folder.path().join(name), &Options::default()).is_err(), "{name}");
    }
    let absent =
        compile_file(folder.path().join("absent.xml"), &Options::default()).expect_err("there is no such file");
    assert!(absent.to_string().contains("absent.xml"), "{absent}");
    assert!(compile_file(folder.path(), &Options::default()).is_err(), "a folder is no schema");
    // A file with a reported length of zero, but endless content.
    #[cfg(unix)]
    {
        let endless = compile_file("/dev/zero", &Options::default()).expect_err("that is no schema");
        assert!(endless.to_string().contains("more than 67108864 bytes"), "{endless}");
    }
}

/// The content of a schema of megabytes: types and what follows them; and the code that it is refused with.
type Flood = (&'static str, fn() -> (String, String), Option<&'static str>);

const FLOODS: &[Flood] = &[
    (
        "messages",
        || (String::new(), repeat(|at| format!("<message name='M{at}' id='{}'/>", at * 3))),
        Some("does-not-fit"),
    ),
    ("types", || (repeat(|at| format!("<type name='T{at}' primitiveType='uint8'/>")), String::new()), None),
    ("one name", || (repeat(|_| "<type name='T' primitiveType='uint8'/>".into()), String::new()), None),
    (
        "fields of unknown types among many",
        || {
            let types =
                (0..30_000).map(|at| format!("<type name='SomeLongName{at}' primitiveType='uint8'/>")).collect();
            let fields = repeat(|at| format!("<field name='f{at}' id='{at}' type='SomeLongNome{at}x'/>"));
            (types, format!("<message name='M' id='1'>{fields}</message>"))
        },
        Some("unknown-type"),
    ),
    (
        "references to values of one enum",
        || {
            let values: String = (0..60_000).map(|at| format!("<validValue name='v{at}'>{at}</validValue>")).collect();
            let fields = repeat(|at| {
                format!(
                    "<field name='f{at}' id='{at}' type='E' presence='constant' valueRef='E.v{}'/>",
                    59_999 - at % 60_000
                )
            });
            (
                format!("<enum name='E' encodingType='uint16'>{values}</enum>"),
                format!("<message name='M' id='1'>{fields}</message>"),
            )
        },
        None,
    ),
    (
        "names of few bits",
        || {
            let choices = repeat(|at| format!("<choice name='c{at}'>{}</choice>", at % 8));
            let set = format!("<set name='S' encodingType='uint8'>{choices}</set>");
            (set, "<message name='M' id='1'><field name='f' id='1' type='S'/></message>".into())
        },
        None,
    ),
    (
        "names of few values",
        || {
            let values = repeat(|at| format!("<validValue name='v{at}'>{}</validValue>", at % 100));
            let of = format!("<enum name='E' encodingType='uint8'>{values}</enum>");
            (of, "<message name='M' id='1'><field name='f' id='1' type='E'/></message>".into())
        },
        None,
    ),
    (
        "fields on one line of one name",
        || {
            (
                String::new(),
                format!(
                    "<message name='M' id='1'>{}</message>",
                    repeat(|_| "<field name='f' id='1' type='uint8'/>".into())
                ),
            )
        },
        Some("duplicate-name"),
    ),
    (
        "attributes",
        || (format!("<type name='T' primitiveType='uint8' {}/>", repeat(|at| format!("a{at}='' "))), String::new()),
        Some("too-many-attributes"),
    ),
    ("namespaces", || (repeat(|at| format!("<x xmlns:n{at}='u{at}'/>")), String::new()), Some("too-many-attributes")),
    (
        "an attribute",
        || {
            let text = "n".repeat(TEN_MEGABYTES);
            (format!("<type name='T' primitiveType='uint8' description='{text}'/>"), String::new())
        },
        None,
    ),
    (
        "a name",
        || (format!("<type name='{}' primitiveType='uint8'/>", "n".repeat(TEN_MEGABYTES)), String::new()),
        Some("too-long"),
    ),
    (
        "text",
        || {
            (
                format!("<type name='T' primitiveType='char' presence='constant'>{}</type>", "x".repeat(TEN_MEGABYTES)),
                String::new(),
            )
        },
        None,
    ),
    (
        "pieces of text",
        || {
            (
                format!(
                    "<type name='T' primitiveType='char' presence='constant'>{}</type>",
                    repeat(|_| "<![CDATA[x]]>y&lt;<!---->".into())
                ),
                String::new(),
            )
        },
        None,
    ),
    ("comments", || (repeat(|_| "<!-- - -->".into()), String::new()), None),
    ("unknown elements", || (repeat(|_| "<x/>".into()), String::new()), None),
    ("unknown attributes", || (repeat(|_| "<x y='' z=''/>".into()), String::new()), None),
    (
        "an open quote",
        || (format!("<type name='{}", "n ".repeat(TEN_MEGABYTES / 2)), String::new()),
        Some("malformed-xml"),
    ),
    ("brackets", || ("<".repeat(TEN_MEGABYTES), String::new()), Some("malformed-xml")),
    (
        "choices",
        || {
            (
                format!(
                    "<set name='S' encodingType='uint8'>{}</set>",
                    repeat(|at| format!("<choice name='c{at}'>{}</choice>", at % 8))
                ),
                String::new(),
            )
        },
        None,
    ),
];

#[test]
fn megabytes_of_anything_end_soon() {
    for (what, flood, code) in FLOODS {
        let (types, rest) = flood();
        let text = schema(&types, &rest);
        assert!(text.len() >= TWO_MEGABYTES, "{what}");
        match code {
            Some(code) => drop(refused(text, code)),
            None => assert!(compile(text).is_ok(), "{what} is accepted"),
        }
    }
}

#[test]
fn a_file_of_ten_megabytes_is_read_like_any_other() {
    let mut types = String::new();
    while types.len() < TEN_MEGABYTES {
        let _ = writeln!(types, "<type name='T{}' primitiveType='uint8'/>", types.len());
    }
    let folder = tempfile::tempdir().expect("a folder can be made");
    write(
        folder.path(),
        "large.xml",
        &schema(&types, "<message name='M' id='1'><field name='a' id='1' type='T0'/></message>"),
    );
    let started = Instant::now();
    let compiled = compile_file(folder.path().join("large.xml"), &Options::default());
    assert!(compiled.is_ok_and(|compiled| compiled.schema.messages.len() == 1));
    assert!(started.elapsed() < LONG, "it took {:?}", started.elapsed());
}

#[test]
fn a_file_above_the_limit_is_not_read() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("vast.xml");
    let file = std::fs::File::create(&path).expect("a file can be made");
    file.set_len(1 << 40).expect("a file can have a hole");
    let report = compile_file(&path, &Options::default()).expect_err("it is refused");
    assert!(report.errors().any(|found| found.code == "unreadable-file"), "{report}");
}

#[test]
fn names_that_come_out_the_same_make_code_in_little_time() {
    let fields: String = (0..3000)
        .map(|at| format!("<field name='a{}' id='{at}' type='uint8'/>", "-".repeat(at % 50) + &"!".repeat(at / 50)))
        .collect();
    let text = schema("", &format!("<message name='M' id='1'>{fields}</message>"));
    let compiled = compile_text("t.xml", &text, &Options::default()).unwrap_or_else(|report| panic!("{report}"));
    let started = Instant::now();
    assert!(generate(&compiled.schema, &generate::Options::default()).is_ok());
    assert!(started.elapsed() < LONG, "it took {:?}", started.elapsed());
}

fn write(folder: &Path, name: &str, content: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("it has a parent")).expect("a folder can be made");
    std::fs::write(path, content).expect("a file can be written");
}

fn including(root: &str, hrefs: &[&str]) -> String {
    let includes: String = hrefs.iter().map(|href| format!("<xi:include href='{href}'/>\n")).collect();
    format!("<{root} xmlns:xi='http://www.w3.org/2001/XInclude' package='t' id='1'>\n{includes}</{root}>")
}

#[test]
fn includes_that_turn_round_or_never_end_are_refused_where_they_stand() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path();
    write(path, "self.xml", &including("messageSchema", &["self.xml"]));
    write(path, "one.xml", &including("messageSchema", &["sub/two.xml"]));
    write(path, "sub/two.xml", &including("types", &["../three.xml"]));
    write(path, "three.xml", &including("types", &["one.xml"]));
    for at in 0..100 {
        write(
            path,
            &format!("chain/{at}.xml"),
            &including(if at == 0 { "messageSchema" } else { "types" }, &[&format!("{}.xml", at + 1)]),
        );
    }
    // Each includes the next one twice: a million in all.
    for at in 0..15 {
        let next = format!("{}.xml", at + 1);
        write(
            path,
            &format!("twice/{at}.xml"),
            &including(if at == 0 { "messageSchema" } else { "types" }, &[&next, &next]),
        );
    }
    write(path, "twice/15.xml", "<types/>");
    for (name, place) in [
        ("self.xml", "self.xml:2:1"),
        ("one.xml", "sub/../three.xml:2:1"),
        ("chain/0.xml", "chain/16.xml:2:1"),
        ("twice/0.xml", ".xml:"),
    ] {
        let started = Instant::now();
        let report = compile_file(path.join(name), &Options::default()).expect_err("it is refused");
        assert!(started.elapsed() < LONG, "{name} took {:?}", started.elapsed());
        let found = report.errors().find(|found| found.code == "include").unwrap_or_else(|| panic!("{name}: {report}"));
        let position = report.sources().position(found.place).expect("it has a place").to_string();
        assert!(position.contains(place), "{name}: {position}");
    }
}

/// Each of them may be a file of many megabytes that is refused in the end.
#[test]
fn includes_that_are_refused_count_as_well() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    std::fs::write(folder.path().join("binary.xml"), [0xFF; 100]).expect("a file can be written");
    write(folder.path(), "schema.xml", &including("messageSchema", &["binary.xml"; 300]));
    let report = compile_file(folder.path().join("schema.xml"), &Options::default()).expect_err("it is refused");
    let read = report.errors().filter(|found| found.message.contains("not UTF-8")).count();
    let refused = report.errors().filter(|found| found.message.contains("too many includes")).count();
    assert_eq!((read, refused), (256, 300 - 256), "{report}");
}

#[test]
fn includes_do_not_leave_their_folder() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let outside = tempfile::tempdir().expect("a folder can be made");
    let (path, secret) = (folder.path(), outside.path().join("secret.xml"));
    std::fs::write(&secret, "<types><type name='Secret' primitiveType='uint8'/></types>")
        .expect("a file can be written");
    std::os::unix::fs::symlink(&secret, path.join("link.xml")).expect("a link can be made");
    std::os::unix::fs::symlink(outside.path(), path.join("linked")).expect("a link can be made");
    let up = format!("../{}/secret.xml", outside.path().file_name().expect("it has a name").to_string_lossy());
    for href in [
        up.as_str(),
        "link.xml",
        "linked/secret.xml",
        "/etc/hostname",
        "file:///etc/hostname",
        "http://example.invalid/x.xml",
        "nowhere.xml",
        ".",
        "",
        "%2e%2e/secret.xml",
        "sub/../../secret.xml",
    ] {
        write(path, "schema.xml", &including("messageSchema", &[href]));
        let report = compile_file(path.join("schema.xml"), &Options::default()).expect_err("it is refused");
        let found = report.errors().find(|found| matches!(found.code, "include" | "malformed-xml"));
        let found = found.unwrap_or_else(|| panic!("{href}: {report}"));
        assert!(report.sources().position(found.place).is_some_and(|position| position.line == 2), "{href}: {report}");
    }
    // With an explicit root, includes may reach everything below it.
    write(path, "sub/schema.xml", &including("messageSchema", &["../types.xml"]));
    write(path, "types.xml", &format!("<types>{HEADER}</types>"));
    let within = Options { include_root: Some(path.to_owned()), ..Options::default() };
    assert!(compile_file(path.join("sub/schema.xml"), &Options::default()).is_err());
    assert!(compile_file(path.join("sub/schema.xml"), &within).is_ok());
}
