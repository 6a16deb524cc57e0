//! Lists with all their pages.

use crate::ports::{Class, Page, PageToken, PortError};

/// Pages of one list. No account has so much of anything that is listed here; an endless list is a mistake of the other side.
pub(super) const PAGES_MAX: usize = 1_000;

/// Everything on all pages.
pub(super) async fn all<T, F>(
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
pub(super) fn endless(operation: &'static str) -> PortError {
    PortError::new(Class::Transient, operation, "its pages have no end")
}
