//! Lists, which come in pages, and all that is on them.

use super::{Class, PortError};

/// Pages of one list. No account has so much of anything that is listed here; an endless list is a mistake of the other side.
pub(crate) const PAGES_MAX: usize = 1_000;

/// Where to read on.
pub type PageToken = String;

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where to read on, if there is more.
    pub next: Option<PageToken>,
}

/// Everything on all pages, or nothing: a part of a list is not taken for the whole.
pub(crate) async fn all<T, F>(
    operation: &'static str,
    read: impl Fn(Option<PageToken>) -> F,
) -> Result<Vec<T>, PortError>
where
    F: Future<Output = Result<Page<T>, PortError>>,
{
    let (mut items, mut next) = (Vec::new(), None);
    for _ in 0..PAGES_MAX {
        let page = read(next).await?;
        items.extend(page.items);
        next = page.next;
        if next.is_none() {
            return Ok(items);
        }
    }
    Err(endless(operation))
}

/// A list that does not end is not one that is complete.
pub(crate) fn endless(operation: &'static str) -> PortError {
    PortError::new(Class::Transient, operation, "it has too many pages")
}
