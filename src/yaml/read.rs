//! From text to trees.

use std::collections::{BTreeMap, BTreeSet};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span as Mark, StrInput, Tag};

use super::node::MAX_DEPTH;
use super::{Content, Entry, Node, Place, Scalar, Span, json};

/// How many values aliases may add to a stream, all together. People repeat a few dozen lines; a bomb repeats millions.
const MAX_ALIASED: usize = 20_000;
/// How many values may be kept because they have an anchor, those within others counted again: anchors within anchors
/// keep everything as often as they are deep.
const MAX_KEPT: usize = 100_000;
/// So many bytes of a text count as one more value.
const TEXT: usize = 64;
/// The key that merges another mapping in YAML 1.1. CloudFormation does not take it in templates (AWS: *CloudFormation
/// template formats*), and nobody should have to know where it works.
const MERGE: &str = "<<";
const NO_MERGE: &str = "merge keys (`<<`) are not supported: write all fields, or use an alias for the whole value";
/// Faults of one document that are told of.
const MAX_FAULTS: usize = 1_000;
/// Characters between two entries of the table from characters to bytes.
const MARK_EVERY: usize = 64;

/// What a text holds, up to the fault that ended the reading.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    /// The documents that were read to their end.
    pub documents: Vec<Document>,
    /// Why the rest could not be read.
    pub fault: Option<Fault>,
}

/// One document.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its root.
    pub root: Node,
    /// What is wrong with it, though it could be read: repeated keys, keys that are no scalars.
    pub faults: Vec<Fault>,
    /// The first alias (`*name`) in it.
    pub alias: Option<Span>,
}

/// Something wrong with the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What sort of thing.
    pub kind: FaultKind,
    /// A sentence without a full stop.
    pub message: String,
    /// Where.
    pub span: Span,
}

/// What sort of thing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// It is not YAML.
    Syntax,
    /// Values are nested too deeply.
    Depth,
    /// Aliases expand to too much.
    Aliases,
    /// A key is there twice.
    DuplicateKey,
    /// A key is not a scalar.
    Key,
}

/// Reads every document of a text. Text that starts like JSON and is not YAML is read as JSON (JSON allows a few things that YAML readers stumble over, such as tabs and escaped surrogates).
#[must_use]
pub fn parse(text: &str) -> Stream {
    let text = text.strip_prefix('\u{feff}').map_or(text, |rest| rest);
    let mut stream = Reader::new(text).run();
    let syntax = stream.fault.as_ref().is_some_and(|fault| fault.kind == FaultKind::Syntax);
    if syntax
        && text.trim_start().starts_with(['{', '['])
        && let Some(document) = json::parse(text)
    {
        stream = Stream { documents: vec![document], fault: None };
    }
    stream
}

struct Reader<'t> {
    text: &'t str,
    /// The parser counts characters: the byte at which every 64th of them starts. Empty for ASCII, where both are one.
    marks: Vec<usize>,
    parser: Parser<'t, StrInput<'t>>,
    open: Vec<Frame>,
    /// `None`: it is too large to be repeated even once.
    anchors: BTreeMap<usize, Option<(Node, usize)>>,
    kept: usize,
    aliased: usize,
    faults: Vec<Fault>,
    alias: Option<Span>,
    root: Option<Node>,
}

/// A collection that is being read.
struct Frame {
    node: Node,
    anchor: usize,
    /// Values in it so far, itself included; a long text counts as several.
    size: usize,
    /// In a mapping, the key that waits for its value.
    key: Option<(String, Span)>,
    keys: BTreeSet<String>,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str) -> Self {
        let marks = if text.is_ascii() {
            Vec::new()
        } else {
            text.char_indices().step_by(MARK_EVERY).map(|(at, _)| at).collect()
        };
        Self {
            text,
            marks,
            parser: Parser::new_from_str(text),
            open: Vec::new(),
            anchors: BTreeMap::new(),
            kept: 0,
            aliased: 0,
            faults: Vec::new(),
            alias: None,
            root: None,
        }
    }

    fn run(mut self) -> Stream {
        let mut documents = Vec::new();
        while let Some(event) = self.parser.next_event() {
            let fault = match event {
                Err(error) => {
                    let start = self.place(*error.marker());
                    let end =
                        self.text.get(start.offset..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
                    let span = Span { start, end: start.offset + end };
                    // Flow style has a limit in the parser too, which looks ahead of us.
                    let deep = error.info().starts_with("recursion limit");
                    let kind = if deep { FaultKind::Depth } else { FaultKind::Syntax };
                    Some(Fault { kind, message: plain(error.info()), span })
                }
                Ok((Event::DocumentEnd, _)) => {
                    if let Some(root) = self.root.take() {
                        let (faults, alias) = (std::mem::take(&mut self.faults), self.alias.take());
                        documents.push(Document { root, faults, alias });
                    }
                    None
                }
                Ok((event, mark)) => self.take(event, mark).err(),
            };
            if fault.is_some() {
                return Stream { documents, fault };
            }
        }
        Stream { documents, fault: None }
    }

    fn take(&mut self, event: Event<'t>, mark: Mark) -> Result<(), Fault> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let core = tag.as_ref().is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
                let scalar = Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain && !core };
                let node = Node { content: Content::Scalar(scalar), tag: local(tag.as_deref()), span: self.span(mark) };
                let size = 1 + node.text().map_or(0, str::len) / TEXT;
                self.keep(anchor, &node, size)?;
                self.place_node(node, size);
            }
            Event::Alias(anchor) => {
                let span = self.span(mark);
                self.alias.get_or_insert(span);
                let Some(node) = self.anchors.get(&anchor) else {
                    let message = "the alias is inside the value that it refers to".to_owned();
                    return Err(Fault { kind: FaultKind::Aliases, message, span });
                };
                let depth = self.open.len();
                let fits = node.as_ref().filter(|(node, size)| {
                    self.aliased.saturating_add(*size) <= MAX_ALIASED && depth + depth_of(node) <= MAX_DEPTH
                });
                let Some((node, size)) = fits.cloned() else {
                    let message = format!("aliases expand to more than {MAX_ALIASED} values or {MAX_DEPTH} levels");
                    return Err(Fault { kind: FaultKind::Aliases, message, span });
                };
                self.aliased += size;
                self.place_node(node, size);
            }
            Event::SequenceStart(anchor, tag) => {
                self.open(Content::Sequence(Vec::new()), anchor, tag.as_deref(), mark)?;
            }
            Event::MappingStart(anchor, tag) => {
                self.open(Content::Mapping(Vec::new()), anchor, tag.as_deref(), mark)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(mut frame) = self.open.pop() {
                    let end = self.span(mark).end.max(frame.node.span.start.offset);
                    frame.node.span.end = end;
                    self.keep(frame.anchor, &frame.node, frame.size)?;
                    self.place_node(frame.node, frame.size);
                }
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn open(&mut self, content: Content, anchor: usize, tag: Option<&Tag>, mark: Mark) -> Result<(), Fault> {
        let span = self.span(mark);
        if self.open.len() >= MAX_DEPTH {
            let message = format!("values are nested more than {MAX_DEPTH} levels deep");
            return Err(Fault { kind: FaultKind::Depth, message, span });
        }
        let node = Node { content, tag: local(tag), span };
        self.open.push(Frame { node, anchor, size: 1, key: None, keys: BTreeSet::new() });
        Ok(())
    }

    fn keep(&mut self, anchor: usize, node: &Node, size: usize) -> Result<(), Fault> {
        if anchor == 0 {
            return Ok(());
        }
        if size > MAX_ALIASED {
            self.anchors.insert(anchor, None);
            return Ok(());
        }
        self.kept = self.kept.saturating_add(size);
        if self.kept > MAX_KEPT {
            let message = format!("nested anchors contain more than {MAX_KEPT} values");
            return Err(Fault { kind: FaultKind::Aliases, message, span: node.span });
        }
        self.anchors.insert(anchor, Some((node.clone(), size)));
        Ok(())
    }

    fn fault(&mut self, kind: FaultKind, message: String, span: Span) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(Fault { kind, message, span });
        }
    }

    /// Puts a finished node where it belongs: into the innermost open collection, or at the root.
    fn place_node(&mut self, node: Node, size: usize) {
        let Some(frame) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        frame.size = frame.size.saturating_add(size);
        match &mut frame.node.content {
            Content::Sequence(items) => items.push(node),
            Content::Scalar(_) => {}
            Content::Mapping(entries) => match frame.key.take() {
                None => {
                    let span = node.span;
                    let key = node.text().map(str::to_owned);
                    let nameless = key.is_none();
                    frame.key = Some((key.unwrap_or_default(), span));
                    if nameless {
                        let message = "a key is a list or a mapping; keys must be scalars".to_owned();
                        self.fault(FaultKind::Key, message, span);
                    }
                }
                Some((key, key_span)) => {
                    if key == MERGE {
                        self.fault(FaultKind::Key, NO_MERGE.to_owned(), key_span);
                    } else if frame.keys.insert(key.clone()) {
                        entries.push(Entry { key, key_span, value: node });
                    } else {
                        let message = format!("duplicate key `{key}`");
                        self.fault(FaultKind::DuplicateKey, message, key_span);
                    }
                }
            },
        }
    }

    fn span(&self, mark: Mark) -> Span {
        let start = self.place(mark.start);
        let mut end = self.place(mark.end).offset.max(start.offset);
        // A block scalar ends where the next token begins: the white space between belongs to nobody.
        let body = self.text.get(start.offset..end).unwrap_or_default();
        end = start.offset + body.trim_end().len();
        Span { start, end }
    }

    fn place(&self, marker: Marker) -> Place {
        let index = marker.index();
        let offset = if self.marks.is_empty() {
            index.min(self.text.len())
        } else {
            let begin = self.marks.get(index / MARK_EVERY).copied().unwrap_or(self.text.len());
            let rest = self.text.get(begin..).unwrap_or_default();
            begin + rest.char_indices().nth(index % MARK_EVERY).map_or(rest.len(), |(at, _)| at)
        };
        Place { offset, line: marker.line().max(1), column: marker.col() + 1 }
    }
}

/// What the parser says, for somebody who does not know its grammar.
fn plain(said: &str) -> String {
    const WORDS: [(&str, &str); 8] = [
        (
            "mapping values are not allowed",
            "no `:` can stand here: the indentation differs from the line above, or the text needs quotes",
        ),
        ("did not find expected key", "this line fits no line above it: check the indentation"),
        ("did not find expected '-' indicator", "this line fits no line above it: check the indentation"),
        ("did not find expected ',' or ']'", "the list that begins with `[` needs `,` or `]` here"),
        ("did not find expected ',' or '}'", "the mapping that begins with `{` needs `,` or `}` here"),
        ("tabs disallowed", "a tab is in the indentation: YAML takes only spaces there"),
        ("invalid indentation in quoted scalar", "the text that begins with this quote is not closed"),
        ("found unknown anchor", "this alias repeats a value that has no such anchor"),
    ];
    let known = WORDS.iter().find(|(theirs, _)| said.contains(theirs));
    known.map_or(said, |(_, ours)| ours).to_owned()
}

fn depth_of(node: &Node) -> usize {
    match &node.content {
        Content::Scalar(_) => 0,
        Content::Sequence(items) => 1 + items.iter().map(depth_of).max().unwrap_or(0),
        Content::Mapping(entries) => 1 + entries.iter().map(|entry| depth_of(&entry.value)).max().unwrap_or(0),
    }
}

/// The name of a local tag. Tags of YAML's own schema say nothing that the value does not.
fn local(tag: Option<&Tag>) -> Option<String> {
    tag.filter(|tag| !tag.is_yaml_core_schema() && tag.handle == "!" && !tag.suffix.is_empty())
        .map(|tag| tag.suffix.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(text: &str) -> Document {
        let mut stream = parse(text);
        assert_eq!(stream.fault, None);
        assert_eq!(stream.documents.len(), 1);
        stream.documents.remove(0)
    }

    #[test]
    fn every_value_knows_its_line_its_column_and_its_bytes() {
        let text = "ä: x\nkey:\n  - 'two'\n  - !Ref Name\n";
        let document = only(text);
        let items = document.root.get("key").unwrap().items();
        let span = items[0].span;
        assert_eq!((span.start.line, span.start.column), (3, 5));
        assert_eq!(&text[span.start.offset..span.end], "'two'");
        assert_eq!(items[1].tag.as_deref(), Some("Ref"));
        let key = document.root.entry("key").unwrap().key_span;
        assert_eq!(&text[key.start.offset..key.end], "key");
    }

    #[test]
    fn a_repeated_key_is_reported_and_the_first_value_stays() {
        let document = only("a: 1\nb: 2\na: 3\n");
        assert_eq!(document.faults.len(), 1);
        assert_eq!(document.faults[0].kind, FaultKind::DuplicateKey);
        assert_eq!(document.faults[0].span.start.line, 3);
        assert_eq!(document.root.get("a").unwrap().text(), Some("1"));
    }

    #[test]
    fn a_merge_key_is_a_fault_that_says_so() {
        let document = only("a: &a { x: 1 }\nb: { <<: *a, y: 2 }\n");
        assert!(document.faults[0].message.starts_with("merge keys"), "{:?}", document.faults);
        assert_eq!(document.root.get("b").unwrap().entries().len(), 1);
    }

    #[test]
    fn aliases_expand_and_a_bomb_does_not() {
        let document = only("a: &x { k: v }\nb: *x\n");
        assert_eq!(document.root.get("b").unwrap().get("k").unwrap().text(), Some("v"));
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..10 {
            let before = format!("*a{}", level - 1);
            bomb = format!("{bomb}a{level}: &a{level} [{}]\n", [before.as_str(); 10].join(", "));
        }
        assert_eq!(parse(&bomb).fault.unwrap().kind, FaultKind::Aliases);
        assert_eq!(parse("a: &x [*x]\n").fault.unwrap().kind, FaultKind::Aliases);
    }

    #[test]
    fn anchors_within_anchors_and_long_texts_are_bounded_too() {
        // Every level keeps everything below it: 90 times a megabyte of text, and of values.
        let nested = |inner: &str| {
            let open: Vec<String> = (0..90).map(|level| format!("&a{level} [")).collect();
            let open = open.concat();
            format!("{open}{inner}{}\n", "]".repeat(90))
        };
        let values = nested(&"1,".repeat(300_000));
        let texts = nested(&format!("'{}'", "x".repeat(900_000)));
        let mut kept = 0;
        for text in [&values, &texts] {
            let mut reader = Reader::new(text);
            while let Some(Ok((event, mark))) = reader.parser.next_event() {
                if reader.take(event, mark).is_err() {
                    break;
                }
            }
            kept = kept.max(reader.kept);
        }
        assert!(kept <= 2 * MAX_KEPT, "{kept}");
        let long = format!("a: &a '{}'\nb: [{}]\n", "x".repeat(100_000), "*a, ".repeat(1_000));
        assert_eq!(parse(&long).fault.unwrap().kind, FaultKind::Aliases);
        let many = format!("a: &a {{ k: v }}\nb: [{}]\n", "*a, ".repeat(1_000));
        assert_eq!(parse(&many).fault, None);
    }

    #[test]
    fn deep_nesting_ends_with_a_fault() {
        for open in ["[", "{a: ", "- "] {
            assert!(parse(&open.repeat(50_000)).fault.is_some());
        }
    }

    #[test]
    fn json_that_yaml_readers_stumble_over_is_read() {
        let document = only("{\n\t\"a\": \"\\ud83d\\ude00\",\n\t\"b\": [1, true, null]\n}");
        assert_eq!(document.root.get("a").unwrap().text(), Some("😀"));
        assert_eq!(document.root.get("b").unwrap().items()[0].as_scalar().unwrap().as_integer(), Some(1));
    }
}
