//! Why a template cannot be read.

use crate::yaml::{Fault, FaultKind, Span};

/// Why a template cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// What is wrong, as a sentence without a full stop.
    pub message: String,
    /// Where, if it is known.
    pub span: Option<Span>,
    /// Aliases expand to too much, or values are nested too deeply.
    pub limit: bool,
    /// A suggested fix.
    pub help: Option<String>,
}

impl TemplateError {
    pub(super) fn new(message: impl Into<String>, span: Span) -> Self {
        Self { message: message.into(), span: Some(span).filter(|span| span.start.line > 0), limit: false, help: None }
    }

    /// Line and column, from 1, where they are known.
    #[must_use]
    pub fn place(&self) -> Option<(usize, usize)> {
        self.span.map(|span| (span.start.line, span.start.column))
    }
}

impl From<Fault> for TemplateError {
    fn from(fault: Fault) -> Self {
        let limit = matches!(fault.kind, FaultKind::Aliases | FaultKind::Depth);
        Self { limit, ..Self::new(fault.message, fault.span) }
    }
}

/// `Fn::Transform` and `Fn::ForEach::…` stand where a logical id would.
pub(super) fn is_macro(key: &str) -> bool {
    key.starts_with("Fn::")
}
