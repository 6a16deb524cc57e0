//! Fills in what is known when the manifests are loaded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::diagnostic::Problem;
use super::doc::Doc;
use super::interpolate::{self, FORMS, Piece, Wanted};
use super::parameters::FileEntry;
use super::text::place_at;
use crate::model::{OutputRef, Part, Text};
use crate::yaml::{Node, Span};

/// References in a text and the literals between them. AWS takes no value that is long enough for more, and each one
/// is searched for in the file.
const MAX_PIECES: usize = 400;

/// The longest text: nothing that AWS takes is longer, and a few references to a long value are soon a lot.
const LONGEST: usize = 128 << 10;

/// What `${…}` may stand for.
pub(super) struct Names<'a> {
    pub(super) env: &'a str,
    pub(super) system: &'a str,
    pub(super) account: &'a str,
    pub(super) region: &'a str,
    pub(super) values: &'a BTreeMap<String, String>,
    pub(super) parameters: &'a BTreeMap<String, FileEntry>,
    /// Parameters that a template of this environment declares `NoEcho`.
    pub(super) secrets: &'a BTreeSet<String>,
}

/// Where a text stands, so that a reference inside it can be pointed at.
#[derive(Clone, Copy)]
pub(super) struct Site<'a> {
    pub(super) file: &'a Arc<str>,
    pub(super) source: &'a str,
    pub(super) span: Span,
}

impl<'a> Site<'a> {
    pub(super) fn of(doc: &'a Doc<'_>, node: &Node) -> Self {
        Self { file: &doc.file, source: doc.source, span: node.span }
    }

    /// Where in the file `raw` stands, which begins at byte `start` of the value `text`.
    fn inside(&self, text: &str, raw: &str, start: usize) -> Span {
        let written = self.source.get(self.span.start.offset..self.span.end).unwrap_or_default();
        let earlier = text.get(..start).map_or(0, |before| before.matches(raw).count());
        let Some((at, _)) = written.match_indices(raw).nth(earlier) else { return self.span };
        let inner = place_at(written, at);
        let mut start = self.span.start;
        start.offset += at;
        start.column = if inner.line == 1 { start.column + inner.column - 1 } else { inner.column };
        start.line += inner.line - 1;
        Span { start, end: start.offset + raw.len() }
    }
}

/// A text with everything filled in but outputs.
#[derive(Debug, Default)]
pub(super) struct Rendered {
    pub(super) text: Text,
    /// Each output it refers to, and where.
    pub(super) outputs: Vec<(OutputRef, String, Span)>,
    /// A `NoEcho` parameter that went into it, and where.
    pub(super) secret: Option<(String, Span)>,
    /// Values that went into it.
    pub(super) values: BTreeSet<String>,
    /// Entries of the parameter file that went into it.
    pub(super) parameters: BTreeSet<String>,
}

/// Finds the output that a reference means: one of a stack, or the ARN of a secret.
pub(super) type FindOutput<'a> = dyn Fn(&Wanted<'_>, Site<'_>) -> Result<OutputRef, Problem> + 'a;

impl Names<'_> {
    /// Fills in a text. Without `find`, outputs are not allowed in it.
    ///
    /// # Errors
    /// Everything in it that stands for nothing.
    pub(super) fn render(
        &self,
        text: &str,
        site: Site<'_>,
        find: Option<&FindOutput<'_>>,
    ) -> Result<Rendered, Vec<Problem>> {
        let mut rendered = Rendered::default();
        let (mut parts, mut problems) = (Vec::new(), Vec::new());
        let pieces = interpolate::pieces(text);
        if pieces.len() > MAX_PIECES {
            let message = format!("a text can contain at most {} references", MAX_PIECES / 2);
            return Err(vec![Problem::error("too-many-references", message, site.file, site.span)]);
        }
        for piece in pieces {
            let (inside, start) = match piece {
                Piece::Literal(literal) => {
                    parts.push(Part::Literal(literal));
                    continue;
                }
                Piece::Unclosed(start) => {
                    let span = site.inside(text, "${", start);
                    let problem = Problem::error("unterminated-reference", "`${` has no closing `}`", site.file, span);
                    problems.push(problem.help("write `$${` for a literal `${`"));
                    continue;
                }
                Piece::Reference(inside, start) => (inside, start),
            };
            let length = text.get(start..).and_then(|rest| rest.find('}')).map_or(0, |end| end + 1);
            let raw = text.get(start..start + length).unwrap_or_default();
            let site = Site { span: site.inside(text, raw, start), ..site };
            match self.one(inside, site, find, &mut rendered) {
                Ok(part) => parts.push(part),
                Err(problem) => problems.push(problem),
            }
        }
        let known = |part: &Part| if let Part::Literal(text) = part { text.len() } else { 0 };
        if parts.iter().map(known).sum::<usize>() > LONGEST {
            let message = format!("the expanded text is longer than {LONGEST} bytes");
            problems.push(Problem::error("too-long", message, site.file, site.span));
            parts.clear();
        }
        rendered.text = Text::new(parts);
        if problems.is_empty() { Ok(rendered) } else { Err(problems) }
    }

    fn one(
        &self,
        inside: &str,
        site: Site<'_>,
        find: Option<&FindOutput<'_>>,
        rendered: &mut Rendered,
    ) -> Result<Part, Problem> {
        let error = |code, message: String| Problem::error(code, message, site.file, site.span);
        match interpolate::wanted(inside) {
            Err(guess) => {
                let problem = error("unknown-reference", format!("unknown reference `${{{inside}}}`"));
                Err(match guess {
                    Some(guess) => problem.help(format!("did you mean `{guess}`?")),
                    None => problem.help(format!("known: {FORMS}")),
                })
            }
            Ok(Wanted::Builtin(word)) => Ok(Part::Literal(
                match word {
                    "env" => self.env,
                    "system" => self.system,
                    "account" => self.account,
                    _ => self.region,
                }
                .to_owned(),
            )),
            Ok(Wanted::Value(name)) => {
                let known = self.values.keys().map(String::as_str);
                let message = || format!("the environment `{}` has no value `{name}`", self.env);
                let value =
                    self.values.get(name).ok_or_else(|| error("unknown-value", message()).suggest(name, known))?;
                rendered.values.insert(name.to_owned());
                Ok(Part::Literal(value.clone()))
            }
            Ok(Wanted::Parameter(name)) => {
                let known = self.parameters.keys().map(String::as_str);
                let message = || format!("the parameter file of `{}` has no `{name}`", self.env);
                let entry = self
                    .parameters
                    .get(name)
                    .ok_or_else(|| error("unknown-file-parameter", message()).suggest(name, known))?;
                if entry.kept {
                    let message =
                        format!("the parameter file keeps the previous value of `{name}`, which is unknown here");
                    return Err(error("not-known-yet", message));
                }
                rendered.parameters.insert(name.to_owned());
                if self.secrets.contains(name) {
                    rendered.secret = Some((name.to_owned(), site.span));
                }
                Ok(Part::Literal(entry.value.clone()))
            }
            Ok(wanted @ (Wanted::Output { .. } | Wanted::SecretArn(_))) => {
                let find = find.ok_or_else(|| {
                    let message = "stack outputs are not allowed here: this value must be known before the deployment";
                    error("not-known-yet", message.to_owned())
                })?;
                let reference = find(&wanted, site)?;
                rendered.outputs.push((reference.clone(), format!("${{{inside}}}"), site.span));
                Ok(Part::Output(reference))
            }
        }
    }

    /// Fills in a text in which everything must be known now, and nothing may be secret.
    pub(super) fn literal(&self, text: &str, site: Site<'_>, problems: &mut Vec<Problem>) -> Option<String> {
        match self.render(text, site, None).and_then(|rendered| public(rendered, site)) {
            Ok(rendered) => rendered.text.as_literal().map(str::to_owned),
            Err(found) => {
                problems.extend(found);
                None
            }
        }
    }
}

/// The same text, if no secret went into it.
pub(super) fn public(rendered: Rendered, site: Site<'_>) -> Result<Rendered, Vec<Problem>> {
    match &rendered.secret {
        None => Ok(rendered),
        Some((name, span)) => {
            let message = format!("`{name}` is declared NoEcho by a template; this field would reveal it");
            let problem = Problem::error("secret-in-plain-text", message, site.file, *span);
            Err(vec![problem.help("use it only for a template parameter that is declared NoEcho")])
        }
    }
}
