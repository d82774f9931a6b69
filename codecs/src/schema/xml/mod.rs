//! Reads XML files to one tree of elements, with places and with includes resolved. Called by the schema compiler. Of
//! the elements of SBE it knows only the root. It loads nothing from outside the include root, and does not recurse by
//! the depth of a file.

mod limits;
mod tree;

use std::fs;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use roxmltree::{Document, Node, NodeType};

use self::limits::beyond_limits;
pub(crate) use self::tree::{Attribute, Element, ElementId, Tree};
use super::findings::Findings;
use super::source::{Place, Sources};

const XINCLUDE: &str = "http://www.w3.org/2001/XInclude";
/// The greatest size in bytes of a schema with everything it includes. It is larger than any real schema by orders of
/// magnitude, so what exceeds it is an accident or an attack.
const LARGEST: usize = 64 << 20;
const MOST_INCLUDES: usize = 256;
const DEEPEST_INCLUDE: usize = 16;

/// Reads a file and the files that it includes.
pub(crate) fn read_file(
    path: &Path,
    include_root: Option<&Path>,
    sources: &mut Sources,
    findings: &mut Findings,
) -> Tree {
    let mut reader = Reader::new(sources, findings);
    reader.read(path, include_root);
    reader.tree
}

/// Reads a schema that is in memory. It cannot include anything.
pub(crate) fn read_text(name: &str, text: String, sources: &mut Sources, findings: &mut Findings) -> Tree {
    let mut reader = Reader::new(sources, findings);
    reader.graft(text, name.to_owned(), None, None);
    reader.tree
}

/// Reads the text of a file of at most `most` bytes. The file's reported length is not used, since devices and pipes
/// report none.
fn load(path: &Path, most: usize) -> Result<String, String> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(most as u64 + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() > most {
        return Err(match LARGEST - most {
            0 => format!("it has more than {LARGEST} bytes, and no schema needs as many"),
            _ => format!("with what was read before it has more than {LARGEST} bytes, and no schema needs as many"),
        });
    }
    decode(bytes)
}

fn decode(bytes: Vec<u8>) -> Result<String, String> {
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err("it is UTF-16; convert it to UTF-8".into());
    }
    String::from_utf8(bytes).map_err(|error| format!("it is not UTF-8 at byte {}", error.utf8_error().valid_up_to()))
}

struct Reader<'a> {
    tree: Tree,
    sources: &'a mut Sources,
    findings: &'a mut Findings,
    include_root: Option<PathBuf>,
    /// The files being read, outermost first. A file that is in the list already is a cycle.
    open: Vec<PathBuf>,
    included: usize,
    /// How many bytes may still be read.
    room: usize,
}

impl<'a> Reader<'a> {
    fn new(sources: &'a mut Sources, findings: &'a mut Findings) -> Self {
        Self {
            tree: Tree::default(),
            sources,
            findings,
            include_root: None,
            open: Vec::new(),
            included: 0,
            room: LARGEST,
        }
    }

    fn read(&mut self, path: &Path, include_root: Option<&Path>) {
        match load(path, self.room) {
            Ok(text) => {
                let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
                self.include_root = include_root.unwrap_or(folder).canonicalize().ok();
                self.open.extend(path.canonicalize().ok());
                self.graft(text, path.display().to_string(), Some(folder), None);
            }
            Err(why) => {
                let place = Place::NOWHERE;
                self.findings.error("unreadable-file", place, format!("cannot read {}: {why}", path.display()));
            }
        }
    }

    /// Parses `text` and adds its elements below `parent`, or as the root of the tree.
    fn graft(&mut self, text: String, name: String, folder: Option<&Path>, parent: Option<ElementId>) {
        let Some(room) = self.room.checked_sub(text.len()) else {
            let place = Place::NOWHERE;
            self.findings.error("unreadable-file", place, format!("{name} is longer than {LARGEST} bytes"));
            return;
        };
        self.room = room;
        let beside = Path::new(&name).parent().map(Path::to_path_buf).unwrap_or_default();
        let file = self.sources.add(name, text.clone());
        if let Some((code, at, message)) = beyond_limits(&text) {
            let place = Place { file, start: at as u32, end: at as u32 };
            self.findings.error(code, place, message).hint("no real schema has as many; is this file one?");
            return;
        }
        let options = roxmltree::ParsingOptions { allow_dtd: false, ..Default::default() };
        let document = match Document::parse_with_options(&text, options) {
            Ok(document) => document,
            Err(error) => {
                let at = offset_of(&text, error.pos());
                let place = Place { file, start: at as u32, end: at as u32 };
                let found = self.findings.error("malformed-xml", place, format!("the XML is not well-formed: {error}"));
                if matches!(error, roxmltree::Error::DtdDetected) {
                    found.message = "a document type declaration is not allowed in a schema".into();
                    found.hint("entities, external ones above all, are never expanded: write their text");
                }
                return;
            }
        };
        let place = |range: std::ops::Range<usize>| Place { file, start: range.start as u32, end: range.end as u32 };
        let mut path: Vec<ElementId> = parent.into_iter().collect();
        let root = document.root_element();
        let mut next = Some(root);
        while let Some(node) = next {
            let mut entered = false;
            if node.is_element() {
                // The content of an include element is a fallback, and is not part of the schema.
                if node.tag_name().namespace() == Some(XINCLUDE) && node.tag_name().name() == "include" {
                    self.include(node, place(tag(node)), folder, &beside, path.last().copied());
                } else {
                    let id = ElementId(self.tree.elements.len());
                    self.tree.elements.push(element(node, file, &text));
                    if let Some(parent) = path.last() {
                        self.tree.elements[parent.0].children.push(id);
                    }
                    path.push(id);
                    entered = true;
                }
            }
            next = node.first_child().filter(|_| entered);
            let mut left = Some(node).filter(|_| next.is_none());
            while let Some(node) = left {
                if entered {
                    path.pop();
                }
                // All ancestors were entered, or their children would not be visited.
                entered = true;
                if node == root {
                    break;
                }
                next = node.next_sibling();
                left = if next.is_some() { None } else { node.parent() };
            }
        }
    }

    /// Includes a file. `folder` is the folder of the including file, and `beside` its displayed name.
    fn include(
        &mut self,
        node: Node<'_, '_>,
        place: Place,
        folder: Option<&Path>,
        beside: &Path,
        parent: Option<ElementId>,
    ) {
        let Some(href) = node.attribute("href") else {
            self.findings.error("include", place, "an include has no `href`");
            return;
        };
        if node.attribute("parse").is_some_and(|parse| parse != "xml") || node.attribute("xpointer").is_some() {
            self.findings.error("include", place, "only whole XML files can be included").hint("leave `href` alone");
            return;
        }
        let located = self.locate(href, folder);
        // One that is refused may have been read as well.
        self.included += 1;
        match located {
            Ok((path, text)) => {
                self.open.push(path.clone());
                let folder = path.parent().map(Path::to_path_buf);
                self.graft(text, beside.join(href).display().to_string(), folder.as_deref(), parent);
                self.open.pop();
            }
            Err(why) => {
                self.findings.error("include", place, format!("cannot include `{href}`: {why}"));
            }
        }
    }

    fn locate(&self, href: &str, folder: Option<&Path>) -> Result<(PathBuf, String), String> {
        let (Some(folder), Some(root)) = (folder, &self.include_root) else {
            return Err("a schema that is not read from a file cannot include".into());
        };
        let relative = Path::new(href);
        if href.contains("://")
            || relative.components().any(|part| matches!(part, Component::Prefix(_) | Component::RootDir))
        {
            return Err("only paths relative to the including file are allowed".into());
        }
        if self.included >= MOST_INCLUDES || self.open.len() > DEEPEST_INCLUDE {
            return Err("there are too many includes".into());
        }
        let path = folder.join(relative).canonicalize().map_err(|error| error.to_string())?;
        if !path.starts_with(root) {
            return Err(format!("it is outside {}, and includes stay inside", root.display()));
        }
        if self.open.contains(&path) {
            return Err("it includes itself".into());
        }
        // A pipe might never end, or never begin.
        if !path.metadata().map_err(|error| error.to_string())?.is_file() {
            return Err("it is not a file".into());
        }
        load(&path, self.room).map(|text| (path, text))
    }
}

/// The byte range of `<name` at the start of an element.
fn tag(node: Node<'_, '_>) -> std::ops::Range<usize> {
    let start = node.range().start;
    let text = node.document().input_text();
    let length = text[start..].find(|c: char| c.is_whitespace() || c == '>' || c == '/').unwrap_or(0);
    start..start + length
}

fn element(node: Node<'_, '_>, file: u32, input: &str) -> Element {
    let place = |range: std::ops::Range<usize>| Place { file, start: range.start as u32, end: range.end as u32 };
    let mut text = String::new();
    let mut text_place = None;
    for child in node.children().filter(|child| child.node_type() == NodeType::Text) {
        text.push_str(child.text().unwrap_or_default());
        // The place shown is the first text that is not blank.
        let (range, shown) = (child.range(), input.get(child.range()).unwrap_or_default());
        let lead = shown.len() - shown.trim_start().len();
        if lead < shown.len() && text_place.is_none() {
            text_place = Some(place(range.start + lead..range.start + lead + shown.trim().len()));
        }
    }
    let attributes = node.attributes().filter(|attribute| attribute.namespace().is_none()).map(|attribute| Attribute {
        name: attribute.name().to_owned(),
        value: attribute.value().to_owned(),
        place: place(attribute.range_value()),
        name_place: place(attribute.range_qname()),
    });
    let name = node.tag_name().name();
    Element {
        name: name.to_owned(),
        attributes: attributes.collect(),
        children: Vec::new(),
        text,
        text_place: text_place.unwrap_or_else(|| place(tag(node))),
        place: place(tag(node)),
        foreign: node.tag_name().namespace().is_some_and(|namespace| {
            // Only an element with a prefix of its own is foreign, since SBE's namespace has had several addresses.
            !namespace.contains("sbe") && !namespace.contains("fixprotocol") && node.lookup_prefix(namespace).is_some()
        }),
    }
}

/// Converts a line and a column in characters, as roxmltree reports them, to an offset in bytes.
fn offset_of(text: &str, position: roxmltree::TextPos) -> usize {
    let mut start = 0;
    for _ in 1..position.row {
        match text[start..].find('\n') {
            Some(at) => start += at + 1,
            None => break,
        }
    }
    let column = (position.col as usize).saturating_sub(1);
    text[start..].char_indices().nth(column).map_or(text.len(), |(at, _)| start + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Tree, super::super::Report) {
        let (mut sources, mut findings) = (Sources::default(), Findings::default());
        let tree = read_text("test.xml", text.to_owned(), &mut sources, &mut findings);
        (tree, findings.finish(sources))
    }

    #[test]
    fn text_skips_comments_and_joins_cdata() {
        let (tree, report) = read("<a><b><!-- no -->1<![CDATA[2]]></b></a>");
        assert_eq!(report.diagnostics().len(), 0);
        let root = tree.root().expect("there is a root");
        let b = tree.children(root).next().expect("there is a child");
        assert_eq!(tree.get(b).text, "12");
    }

    #[test]
    fn entities_are_refused_where_they_are_declared() {
        let (tree, report) = read("<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>");
        assert!(tree.root().is_none());
        assert_eq!(report.errors().count(), 1);
        assert!(report.to_string().contains("document type declaration"), "{report}");
    }

    #[test]
    fn a_deep_file_does_not_exhaust_the_stack() {
        let depth = 200_000;
        let (_, report) = read(&("<a>".repeat(depth) + &"</a>".repeat(depth)));
        assert_eq!(report.errors().map(|found| found.code).collect::<Vec<_>>(), ["too-deep"]);
        // What only looks like depth is none.
        let flat = "<a b='>'/><!--<a>--><![CDATA[<a>]]>".repeat(depth);
        let (tree, report) = read(&format!("<r><?pi <a>?>{flat}</r>"));
        assert!(tree.root().is_some(), "{report}");
    }

    #[test]
    fn a_break_in_the_xml_is_shown_where_it_is() {
        let (_, report) = read("<a>\n  <b></c>\n</a>");
        let position = report.sources().position(report.diagnostics()[0].place).expect("it has a place");
        assert_eq!(position.line, 2, "{report}");
    }

    #[test]
    fn text_in_memory_cannot_include_files() {
        let (_, report) = read("<a xmlns:xi='http://www.w3.org/2001/XInclude'><xi:include href='/etc/hostname'/></a>");
        assert_eq!(report.errors().next().map(|found| found.code), Some("include"));
    }

    #[test]
    fn what_is_included_counts_as_if_it_were_one_file() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let include = "<xi:include href='part.xml'/>";
        let whole = |includes: usize| {
            let text = format!("<a xmlns:xi='{XINCLUDE}'>{}</a>", include.repeat(includes));
            std::fs::write(folder.path().join("whole.xml"), &text).expect("a file can be written");
            text.len()
        };
        std::fs::write(folder.path().join("part.xml"), "<types/>").expect("a file can be written");
        let read = |room: usize| {
            let (mut sources, mut findings) = (Sources::default(), Findings::default());
            let mut reader = Reader { room, ..Reader::new(&mut sources, &mut findings) };
            reader.read(&folder.path().join("whole.xml"), None);
            findings.finish(sources)
        };
        let length = whole(2) + 2 * "<types/>".len();
        assert_eq!(read(length).errors().count(), 0);
        let report = read(length - 1);
        assert!(report.to_string().contains("with what was read before"), "{report}");
        assert_eq!(report.errors().map(|found| found.code).collect::<Vec<_>>(), ["include"]);
    }
}
